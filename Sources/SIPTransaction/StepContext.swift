import CoreTypes

/// What a client machine needs to know of its surroundings for one step.
struct ClientContext: Sendable {
    let id: ClientTransactionID
    let flow: Flow
    let now: Instant
    let timers: TimerValues
}

/// What a server machine needs to know of its surroundings for one step.
struct ServerContext: Sendable {
    let id: ServerTransactionID
    let flow: Flow
    let now: Instant
    let timers: TimerValues
}
