export type { MarketplaceContext } from './context.ts'
export { marketplaceRoutes } from './routes.ts'
export { marketplaceSettings } from './settings.ts'
