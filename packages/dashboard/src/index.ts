export { type DashboardOptions, dashboardRoutes } from './dashboard.ts'
