public import CoreTypes

/// The header of a message: what SIP itself needs as values, everything else as text, in order.
public struct Headers: Hashable, Sendable {
    /// A message passes through many hands.
    @usableFromInline var fields: Boxed<Fields>

    public init(
        via: [Via] = [], from: NameAddress, to: NameAddress, callID: CallID, cseq: CSeq, maxForwards: UInt8? = nil,
        contact: ContactField? = nil, route: [NameAddress] = [], recordRoute: [NameAddress] = [], contentType: String? = nil,
        others: [HeaderField] = []
    ) {
        fields = Boxed(
            Fields(
                via: via, from: from, to: to, callID: callID, cseq: cseq, maxForwards: maxForwards, contact: contact, route: route,
                recordRoute: recordRoute, contentType: contentType, others: others))
    }

    @usableFromInline
    struct Fields: Hashable, Sendable {
        @usableFromInline var via: [Via]
        @usableFromInline var from: NameAddress
        @usableFromInline var to: NameAddress
        @usableFromInline var callID: CallID
        @usableFromInline var cseq: CSeq
        @usableFromInline var maxForwards: UInt8?
        @usableFromInline var contact: ContactField?
        @usableFromInline var route: [NameAddress]
        @usableFromInline var recordRoute: [NameAddress]
        @usableFromInline var contentType: String?
        @usableFromInline var others: [HeaderField]
    }
}

extension Headers {
    /// Top first.
    @inlinable public var via: [Via] {
        @inline(__always) _read { yield fields.value.via }
        @inline(__always) _modify { yield &fields.value.via }
    }

    @inlinable public var from: NameAddress {
        @inline(__always) _read { yield fields.value.from }
        @inline(__always) _modify { yield &fields.value.from }
    }

    @inlinable public var to: NameAddress {
        @inline(__always) _read { yield fields.value.to }
        @inline(__always) _modify { yield &fields.value.to }
    }

    @inlinable public var callID: CallID {
        @inline(__always) _read { yield fields.value.callID }
        @inline(__always) _modify { yield &fields.value.callID }
    }

    @inlinable public var cseq: CSeq {
        @inline(__always) _read { yield fields.value.cseq }
        @inline(__always) _modify { yield &fields.value.cseq }
    }

    /// 0...255; nil where it is missing, as in messages of RFC 2543.
    @inlinable public var maxForwards: UInt8? {
        @inline(__always) _read { yield fields.value.maxForwards }
        @inline(__always) _modify { yield &fields.value.maxForwards }
    }

    @inlinable public var contact: ContactField? {
        @inline(__always) _read { yield fields.value.contact }
        @inline(__always) _modify { yield &fields.value.contact }
    }

    @inlinable public var route: [NameAddress] {
        @inline(__always) _read { yield fields.value.route }
        @inline(__always) _modify { yield &fields.value.route }
    }

    @inlinable public var recordRoute: [NameAddress] {
        @inline(__always) _read { yield fields.value.recordRoute }
        @inline(__always) _modify { yield &fields.value.recordRoute }
    }

    @inlinable public var contentType: String? {
        @inline(__always) _read { yield fields.value.contentType }
        @inline(__always) _modify { yield &fields.value.contentType }
    }

    /// Everything else. Names with a place of their own above are not written from here.
    @inlinable public var others: [HeaderField] {
        @inline(__always) _read { yield fields.value.others }
        @inline(__always) _modify { yield &fields.value.others }
    }

    /// Of `others`: the first value of this name. Setting puts one value in place of all; nil removes all.
    public subscript(_ name: HeaderName) -> String? {
        get { others.first { $0.name == name }?.value }
        set {
            let place = others.firstIndex { $0.name == name }
            others.removeAll { $0.name == name }
            guard let newValue else { return }
            let field = HeaderField(name: name, value: newValue)
            others.insert(field, at: Swift.min(place ?? others.count, others.count))
        }
    }

    /// Of `others`: every value of this name, in order.
    public func all(_ name: HeaderName) -> [String] {
        others.lazy.filter { $0.name == name }.map { $0.value }
    }

    public mutating func add(_ name: HeaderName, _ value: String) {
        others.append(HeaderField(name: name, value: value))
    }

    public mutating func remove(_ name: HeaderName) {
        others.removeAll { $0.name == name }
    }

    /// The members of all comma lists of this name, such as Supported, in lower case.
    public func tokens(_ name: HeaderName) -> [String] {
        var tokens: [String] = []
        for field in others where field.name == name {
            field.value.withCursor { cursor in
                while !cursor.isAtEnd {
                    let token = cursor.takeWhile { $0 != UInt8(ascii: ",") }.trimmed
                    if !token.isAtEnd { tokens.append(token.lowercasedText) }
                    cursor.skip()
                }
            }
        }
        return tokens
    }

    /// Seconds of Expires (RFC 3261 §20.19); more than an `UInt32` holds counts as its maximum, what is no number as none.
    public var expires: UInt32? {
        get { self[.expires].flatMap(SIPNumber.clamped) }
        set { self[.expires] = newValue.map { String($0) } }
    }
}
