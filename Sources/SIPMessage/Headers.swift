/// The header of a message: what SIP itself needs as values, everything else as text, in order.
public struct Headers: Hashable, Sendable {
    /// Top first.
    public var via: [Via]
    public var from: NameAddress
    public var to: NameAddress
    public var callID: CallID
    public var cseq: CSeq
    /// 0...255; nil where it is missing, as in messages of RFC 2543.
    public var maxForwards: UInt8?
    public var contact: ContactField?
    public var route: [NameAddress]
    public var recordRoute: [NameAddress]
    public var contentType: String?
    /// Everything else. Names with a place of their own above are not written from here.
    public var others: [HeaderField]

    public init(
        via: [Via] = [], from: NameAddress, to: NameAddress, callID: CallID, cseq: CSeq, maxForwards: UInt8? = nil,
        contact: ContactField? = nil, route: [NameAddress] = [], recordRoute: [NameAddress] = [], contentType: String? = nil,
        others: [HeaderField] = []
    ) {
        self.via = via
        self.from = from
        self.to = to
        self.callID = callID
        self.cseq = cseq
        self.maxForwards = maxForwards
        self.contact = contact
        self.route = route
        self.recordRoute = recordRoute
        self.contentType = contentType
        self.others = others
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
