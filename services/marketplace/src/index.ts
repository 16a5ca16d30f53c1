export { assistantOf } from './assistant/assistant-of.ts'
export type { MarketplaceContext } from './context.ts'
export { marketplaceRoutes } from './routes.ts'
export { marketplaceSettings } from './settings.ts'
