/// Header lines of one message on their way to `Headers`.
struct HeaderCollector {
    private let limits: ParserLimits
    /// One bit for each known header that stood already.
    private var seen: UInt128 = 0
    private var count = 0
    private var via: [Via] = []
    private var from: NameAddress?
    private var to: NameAddress?
    private var callID: CallID?
    private var cseq: CSeq?
    private var maxForwards: UInt8?
    private var contact: ContactField?
    private var route: [NameAddress] = []
    private var recordRoute: [NameAddress] = []
    private var contentType: String?
    private(set) var contentLength: Int?
    private var others: [HeaderField] = []

    init(limits: ParserLimits) {
        self.limits = limits
        others.reserveCapacity(8)
    }

    /// Takes one unfolded line.
    mutating func add(_ line: ByteCursor) throws(SIPProblem) {
        count += 1
        guard count <= limits.maximumHeaderCount else { throw .tooManyHeaders }
        var line = line
        let name = line.takeWhile(ByteClass.isToken)
        guard !name.isAtEnd, name.count <= limits.maximumToken else { throw .syntax(.headerName) }
        line.skipWhitespace()
        guard line.take(UInt8(ascii: ":")) else { throw .syntax(.headerName) }
        let value = line.trimmed
        guard value.count <= limits.maximumHeaderValue else { throw .headerTooLong }
        guard let known = KnownHeader(name) else {
            others.append(HeaderField(HeaderName(name), reading: value))
            return
        }
        if known.isSingle {
            let bit: UInt128 = 1 << UInt128(known.rawValue)
            guard seen & bit == 0 else { throw .repeated(HeaderName(known: known)) }
            seen |= bit
        }
        guard let structural = known.structural else {
            others.append(HeaderField(HeaderName(known: known), reading: value))
            return
        }
        do {
            try set(structural, value)
        } catch {
            throw .syntax(error.rule)
        }
    }

    /// What was collected, with all that RFC 3261 §8.1.1 asks for; Max-Forwards was no part of RFC 2543 and may be missing.
    func headers() throws(SIPProblem) -> Headers {
        guard !via.isEmpty else { throw .missing(.via) }
        guard let from else { throw .missing(.from) }
        guard let to else { throw .missing(.to) }
        guard let callID else { throw .missing(.callID) }
        guard let cseq else { throw .missing(.cseq) }
        return Headers(
            via: via, from: from, to: to, callID: callID, cseq: cseq, maxForwards: maxForwards, contact: contact, route: route,
            recordRoute: recordRoute, contentType: contentType, others: others)
    }

    private mutating func set(_ header: StructuralHeader, _ value: ByteCursor) throws(SIPSyntaxError) {
        var value = value
        switch header {
        case .via:
            repeat {
                guard via.count < limits.maximumListedValues else { throw SIPSyntaxError(.tooManyParameters) }
                via.append(try value.via())
            } while value.take(UInt8(ascii: ","))
        case .from: from = try value.onlyAddress()
        case .to: to = try value.onlyAddress()
        case .callID: callID = try value.callID(limit: limits.maximumToken)
        case .cseq: cseq = try value.cseq()
        case .maxForwards:
            guard let hops = value.decimal(maximum: 255) else { throw SIPSyntaxError(.maxForwards) }
            maxForwards = UInt8(hops)
        case .contact: try addContact(&value)
        case .route: route += try value.addressList(limit: limits.maximumListedValues - route.count)
        case .recordRoute: recordRoute += try value.addressList(limit: limits.maximumListedValues - recordRoute.count)
        case .contentType:
            guard !value.isAtEnd, !value.contains(where: { ByteClass.isControl($0) && $0 != 0x09 }) else {
                throw SIPSyntaxError(.contentType)
            }
            contentType = value.mediaType
        case .contentLength:
            guard let length = value.decimal(maximum: 0x7FFF_FFFF) else { throw SIPSyntaxError(.contentLength) }
            contentLength = Int(length)
        }
    }

    private mutating func addContact(_ value: inout ByteCursor) throws(SIPSyntaxError) {
        if value.count == 1, value.next == UInt8(ascii: "*") {
            guard contact == nil else { throw SIPSyntaxError(.contact) }
            contact = .any
            return
        }
        switch contact {
        case .any:
            throw SIPSyntaxError(.contact)
        case nil:
            contact = .list(try value.addressList(limit: limits.maximumListedValues))
        case .list(let addresses):
            contact = .list(addresses + (try value.addressList(limit: limits.maximumListedValues - addresses.count)))
        }
    }
}

extension ByteCursor {
    /// RFC 3261 §25.1 `m-type SLASH m-subtype`: space round the slash means nothing, and is left out.
    fileprivate var mediaType: String {
        let text = text
        guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) else { return text }
        let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        let before = text[..<slash].utf8, behind = text[slash...].utf8.dropFirst()
        guard before.last.map(isSpace) ?? false || behind.first.map(isSpace) ?? false else { return text }
        return String(text[..<slash].prefix { !isSpace($0.utf8.first ?? 0) }) + "/" + String(decoding: behind.drop(while: isSpace), as: UTF8.self)
    }

    /// One address and nothing after it.
    fileprivate mutating func onlyAddress() throws(SIPSyntaxError) -> NameAddress {
        let address = try nameAddress()
        guard isAtEnd else { throw SIPSyntaxError(.nameAddress) }
        return address
    }
}
