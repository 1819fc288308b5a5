/// A value that must not reach a log, a record or a screen: a PIN, a secret, digits typed into a prompt.
/// It prints as `<personal>`; whoever needs the value says so by reading `exposed`.
public struct Personal<Value: Sendable>: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public let exposed: Value

    public init(_ value: Value) { exposed = value }

    public var description: String { "<personal>" }
    public var debugDescription: String { "<personal>" }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension Personal: Equatable where Value: Equatable {}
extension Personal: Hashable where Value: Hashable {}
