export { analysisOptions, analysisSettings } from './analysis-settings.ts'
export { buildQueryApp, type QueryAppOptions } from './app.ts'
export { OPENAPI } from './openapi.ts'
export { type QueryOptions, queryRoutes } from './routes.ts'
