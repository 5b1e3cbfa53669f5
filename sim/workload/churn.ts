import { Actor } from './actor.ts'
import { Consumer } from './consumer.ts'
import { Producer } from './producer.ts'
import { deleteTopic, makeTopic } from './topics.ts'

/** Makes a topic, writes and reads, deletes it, and makes another one of the same name. */
export class Churn extends Actor {
  protected async run(): Promise<void> {
    for (let life = 0; !this.isStopping; life++) {
      const topic = await makeTopic(this.client, { name: 'churn', partitions: 1, configs: { 'retention.ms': '-1', 'segment.bytes': '2048' } })
      const place = { topicId: topic.topicId, partition: 0 }
      const producer = new Producer(this.client.another(`producer.${life}`), {
        place, isIdempotent: true, recordsMax: 4, fillerBytesMax: 100, thinkMs: 100, inFlightMax: 3,
      })
      const consumer = new Consumer(this.client.another(`consumer.${life}`), { place, topic: 'churn', rereads: false, thinkMs: 100 })
      producer.start()
      consumer.start()
      await this.client.think(6_000)
      await deleteTopic(this.client, topic)
      await Promise.all([producer.stop(), consumer.stop()])
      this.done++
    }
  }
}
