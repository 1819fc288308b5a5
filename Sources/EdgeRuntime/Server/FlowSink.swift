/// Where the bytes of a connection go. Lives on the signalling loop.
protocol FlowSink: AnyObject {
    /// Takes bytes; they leave with the next `flush`.
    func send(_ bytes: [UInt8])
    /// Everything taken since the last flush leaves in one write.
    func flush()
    /// Ends the connection; what is not sent yet is tried first.
    func close()
}
