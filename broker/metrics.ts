// What /metrics shows: counters where something happens, gauges that look when they are asked.

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

export type GaugeLabels = { readonly topic: string; readonly partition: string } | { readonly broker: string }

export interface GaugeReading {
  readonly name: string
  readonly help: string
  /** One value, or one per partition or broker. */
  read(): number | Promise<number> | readonly { readonly labels: GaugeLabels; readonly value: number }[]
}

export class Metrics {
  readonly #registry = new Registry()
  readonly #requests: Histogram<'api'>
  readonly #requestBytes: Counter<'api'>
  readonly #responseBytes: Counter<'api'>
  readonly #defects: Counter<'api'>
  readonly #tableCalls: Counter<'call' | 'about'>
  readonly #tableItems: Counter<'about'>

  constructor() {
    const registers = [this.#registry]
    this.#requests = new Histogram({
      name: 'longtail_request_seconds', help: 'Time from a whole request to its reply, waits of long polls included',
      labelNames: ['api'], registers, buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    })
    this.#requestBytes = new Counter({ name: 'longtail_request_bytes_total', help: 'Bytes of requests', labelNames: ['api'], registers })
    this.#responseBytes = new Counter({ name: 'longtail_response_bytes_total', help: 'Bytes of replies', labelNames: ['api'], registers })
    this.#defects = new Counter({
      name: 'longtail_request_defects_total', help: 'Requests that failed in a way that no handler foresaw', labelNames: ['api'], registers,
    })
    this.#tableCalls = new Counter({
      name: 'longtail_table_calls_total', help: 'Calls of the table', labelNames: ['call', 'about'], registers,
    })
    this.#tableItems = new Counter({
      name: 'longtail_table_items_written_total', help: 'Items in commits to the table', labelNames: ['about'], registers,
    })
  }

  /** Event-loop delay, memory, CPU, garbage collection. Only for a real process. */
  collectProcess(): void {
    collectDefaultMetrics({ register: this.#registry })
  }

  served(api: string, facts: { readonly seconds: number; readonly requestBytes: number; readonly responseBytes: number }): void {
    this.#requests.observe({ api }, facts.seconds)
    this.#requestBytes.inc({ api }, facts.requestBytes)
    this.#responseBytes.inc({ api }, facts.responseBytes)
  }

  defect(api: string): void {
    this.#defects.inc({ api })
  }

  tableCalled({ call, about, items }: { readonly call: string; readonly about: string; readonly items: number }): void {
    this.#tableCalls.inc({ call, about })
    if (items > 0) this.#tableItems.inc({ about }, items)
  }

  gauge({ name, help, read }: GaugeReading): void {
    const gauge: Gauge<'topic' | 'partition' | 'broker'> = new Gauge({
      name, help, registers: [this.#registry], labelNames: ['topic', 'partition', 'broker'],
      async collect() {
        const now = await read()
        gauge.reset()
        if (typeof now === 'number') return gauge.set(now)
        for (const { labels, value } of now) gauge.set(labels, value)
      },
    })
  }

  /** In Prometheus' text format. */
  async text(): Promise<{ readonly type: string; readonly body: string }> {
    return { type: this.#registry.contentType, body: await this.#registry.metrics() }
  }
}
