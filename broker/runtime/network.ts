/** The network as the broker sees it: ordered byte streams that can break. */
export interface Network {
  /** Listens on a TCP address; port 0 takes a free one. Rejects with the system's error where it cannot. */
  listen(address: { host: string; port: number }, accept: (connection: ByteStream) => void): Promise<Listener>
  /** Rejects where no connection stands within `timeoutMs`. */
  connect(address: { host: string; port: number }, timeoutMs: number): Promise<ByteStream>
}

export interface Listener {
  readonly host: string
  readonly port: number
  /** Stops accepting at once. Resolves when every stream that was accepted is closed too, which is the owner's to do. */
  close(): Promise<void>
}

export interface ByteStream {
  /** The peer's address without port, for logs and group descriptions. */
  readonly remoteHost: string
  readonly remotePort: number
  /** Sets who hears of this stream; called once, before anything arrives. */
  start(events: ByteStreamEvents): void
  /**
   * Queues the buffers, in order. They must stay untouched until `onTaken` is called, once the system has taken all of
   * them; it is not called where the stream breaks before.
   */
  write(buffers: readonly Uint8Array[], onTaken?: () => void): void
  /** Bytes given to `write` that the system has not taken yet. */
  readonly bytesQueued: number
  /** Stops `data` events until `resume`, which pushes back on the peer. */
  pause(): void
  resume(): void
  /** Closes after what is queued was sent. */
  end(): void
  /** Closes now. */
  destroy(): void
}

export interface ByteStreamEvents {
  /** The bytes are lent until the call returns: what is to be kept is copied. */
  data(bytes: Buffer): void
  /** `bytesQueued` was high, and is back to 0. */
  drained(): void
  /** Called once, after which nothing more comes. `cause` is undefined when the peer ended the stream in order. */
  closed(cause: Error | undefined): void
}
