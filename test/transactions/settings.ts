const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise)

/** What scripts/test-transactions.ts hands over. */
export const settings = {
  /** That are committed, at least. */
  transactions: number('LONGTAIL_TRANSACTIONS', 2_000),
  brokers: number('LONGTAIL_TEST_BROKERS', 1),
  isApacheKafka: process.env['LONGTAIL_TEST_BROKER'] === 'apache-kafka',
  /** Between two kills. */
  killEveryMs: number('LONGTAIL_TRANSACTIONS_KILL_EVERY_MS', 4_000),
  /** In which so many transactions are to be through, with what starting and kills take. What is stuck is found by other means. */
  get withinMs(): number {
    return 120_000 + this.transactions * number('LONGTAIL_TRANSACTIONS_MS_EACH', 60)
  },
} as const
