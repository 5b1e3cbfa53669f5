declare module 'kafkajs-snappy' {
  /** Makes what kafkajs registers as a codec. */
  const codec: () => object
  export default codec
}
