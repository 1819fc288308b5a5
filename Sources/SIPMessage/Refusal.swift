/// The answer to a request that could not be taken: what of it can be read is enough to bring the answer back.
struct Refusal {
    private var method: Method?
    private var via: [Via] = []
    private var from: NameAddress?
    private var to: NameAddress?
    private var callID: CallID?
    private var cseq: CSeq?

    /// Looks through a header section that need not be well formed.
    init(_ head: ByteCursor, _ limits: ParserLimits) {
        var rest = head
        method = try? rest.method()
        _ = rest.looseLine()
        var count = 0
        while !rest.isAtEnd, count < limits.maximumHeaderCount {
            let line = rest.looseLine()
            guard !line.isAtEnd else { break }
            note(line, limits)
            count += 1
        }
    }

    /// ACKs and responses are never answered (RFC 3261 §17), nor is what shows no way back.
    func result(of problem: SIPProblem) -> ParseResult {
        switch problem {
        case .notSIP, .keepAlive:
            return .ignore(problem)
        case .version, .syntax, .missing, .repeated, .methodMismatch, .bareLineEnd, .truncated, .bodyTooShort, .messageTooLarge,
            .requestURITooLong, .tooManyHeaders, .headerTooLong:
            break
        }
        guard let method, method != .ack, !isResponse, !via.isEmpty else { return .ignore(problem) }
        let headers = Headers(
            via: via, from: from ?? Refusal.nobody, to: taggedTo, callID: callID ?? CallID(value: "unreadable"),
            cseq: CSeq(number: cseq?.number ?? 0, method: cseq?.method ?? method))
        let status = problem.status
        return .reject(SIPResponse(status: status, reason: SIPResponse.defaultReason(status), headers: headers), problem)
    }

    /// "SIP/2.0" begins with a token too.
    private var isResponse: Bool { method == .other("SIP") }

    private mutating func note(_ line: ByteCursor, _ limits: ParserLimits) {
        var line = line
        let name = line.takeWhile(ByteClass.isToken)
        line.skipWhitespace()
        guard line.take(UInt8(ascii: ":")), let header = KnownHeader(name)?.structural else { return }
        var value = line.trimmed
        switch header {
        case .via: noteVia(&value, limits)
        case .from: from = from ?? (try? value.nameAddress())
        case .to: to = to ?? (try? value.nameAddress())
        case .callID: callID = callID ?? (try? value.callID(limit: limits.maximumToken))
        case .cseq: cseq = cseq ?? (try? value.cseq())
        case .maxForwards, .contact, .route, .recordRoute, .contentType, .contentLength: break
        }
    }

    private mutating func noteVia(_ value: inout ByteCursor, _ limits: ParserLimits) {
        repeat {
            guard via.count < limits.maximumListedValues, let hop = value.viaForRefusal() else { return }
            via.append(hop)
            value.skipWhitespace()
        } while value.take(UInt8(ascii: ","))
    }

    /// RFC 3261 §8.2.6.2 wants a tag, §8.2.7 the same one for each retransmission: it is made from the request.
    private var taggedTo: NameAddress {
        var address = to ?? Refusal.nobody
        guard address.tag == nil else { return address }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for text in [via.first?.branch, callID?.value, from?.tag] {
            for byte in (text ?? "").utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        }
        address.tag = String(hash, radix: 16)
        return address
    }

    /// Stands where From or To cannot be read (RFC 3323 §4.1.1.3 names the domain).
    private static let nobody = NameAddress(uri: .sip(SIPURI(user: "anonymous", host: Host(literal: "anonymous.invalid"))))
}

extension ByteCursor {
    /// Takes a line off that ends in LF, with or without CR.
    fileprivate mutating func looseLine() -> ByteCursor {
        let line = takeWhile { $0 != 0x0A }
        skip()
        guard line.count > 0, line.peek(line.count - 1) == 0x0D else { return line }
        return line.part(from: line.position, to: line.end - 1)
    }
}
