/** How often a crash is repeated. */
export const rounds = Number(process.env['LONGTAIL_DURABILITY_ROUNDS'] ?? 50)

/** Of everything that is left to chance; printed by each test. */
export const seed = Number(process.env['LONGTAIL_SEED'] ?? Date.now() % 1_000_000)
