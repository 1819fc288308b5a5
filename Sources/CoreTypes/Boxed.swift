/// A large value in an object of its own, with the meaning of the value: it is copied when it is changed while another
/// holds it too. Handing it on costs one count, and looking at a part of it copies that part alone.
@dynamicMemberLookup
public struct Boxed<Value: Sendable>: Sendable {
    /// Changed only by the one `Boxed` that holds it.
    @usableFromInline
    final class Box: @unchecked Sendable {
        // Two accesses at once are ruled out already: each goes through the `Boxed` that holds the object.
        @usableFromInline @exclusivity(unchecked) var value: Value

        @inlinable
        init(_ value: Value) { self.value = value }
    }

    @usableFromInline var box: Box

    @inlinable
    public init(_ value: Value) { box = Box(value) }

    @inlinable public var value: Value {
        @inline(__always) _read { yield box.value }
        @inline(__always) _modify {
            if !isKnownUniquelyReferenced(&box) { box = Box(box.value) }
            yield &box.value
        }
    }

    @inlinable
    public subscript<Part>(dynamicMember part: KeyPath<Value, Part>) -> Part {
        @inline(__always) get { box.value[keyPath: part] }
    }

    @inlinable
    public subscript<Part>(dynamicMember part: WritableKeyPath<Value, Part>) -> Part {
        @inline(__always) get { box.value[keyPath: part] }
        @inline(__always) _modify { yield &value[keyPath: part] }
    }
}

extension Boxed: Equatable where Value: Equatable {
    @inlinable
    public static func == (left: Boxed, right: Boxed) -> Bool { left.box === right.box || left.box.value == right.box.value }
}

extension Boxed: Hashable where Value: Hashable {
    @inlinable
    public func hash(into hasher: inout Hasher) { box.value.hash(into: &hasher) }
}
