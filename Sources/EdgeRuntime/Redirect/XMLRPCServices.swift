import CoreTypes
import CryptoPrimitives
import PhoneDelivery

/// Calls methods of a service that answer with a pair: whether it was done, and a text.
struct XMLRPCClient {
    let exchange: any ServiceExchange
    let url: ServiceURL
    /// RFC 7617.
    private let authorization: Personal<String>

    init(exchange: any ServiceExchange, url: ServiceURL, user: String, password: Personal<String>) {
        self.exchange = exchange
        self.url = url
        authorization = Personal("Basic " + Base64.encode(Array("\(user):\(password.exposed)".utf8)))
    }

    /// What the method was answered; a fault is a refusal.
    func call(_ method: String, _ parameters: [XMLRPCValue]) throws(ServiceFailure) -> (isDone: Bool, text: String) {
        let request = ServiceRequest(
            url: url, headers: [("Content-Type", "text/xml"), ("Authorization", authorization.exposed)], body: XMLRPCCall.bytes(method, parameters))
        let answer = try exchange.answer(to: request)
        guard answer.status == 200 else { throw ServiceFailure(status: answer.status) }
        switch XMLRPCReader.read(answer.body) {
        case nil: throw .unavailable("what it answers is no XML-RPC")
        case .fault(let text): throw .refused(ServiceText.clean(text))
        case .value(.list(let values)):
            var text = ""
            if case .text(let found)? = values.dropFirst().first { text = ServiceText.clean(found) }
            return (values.first == .truth(true), text)
        case .value(.truth(let isDone)): return (isDone, "")
        case .value(.text), .value(.members): throw .unavailable("it answers with something else than a result")
        }
    }

    /// As `call`, where anything but success is a failure.
    func demand(_ method: String, _ parameters: [XMLRPCValue]) throws(ServiceFailure) {
        let (isDone, text) = try call(method, parameters)
        guard isDone else { throw .refused(text.isEmpty ? "it refused without a reason" : text) }
    }
}

/// Yealink's older service: `https://rps.yealink.com/xmlrpc`. A phone has a URL of its own under a server's name, which
/// must be known before.
struct YealinkXMLRPC: VendorService {
    let client: XMLRPCClient
    /// Name of the server's entry.
    let server: String

    func register(_ mac: String, url: String) throws(ServiceFailure) {
        let parameters: [XMLRPCValue] = [.text(mac), .text(server), .text(url), .text("1")]
        if try client.call("redirect.registerDeviceWithUniqueUrl", parameters).isDone { return }
        // Refused, it may be for want of the server; that there is one already is no reason to stop.
        _ = try client.call("redirect.addServer", [.text(server), .text(url)])
        try client.demand("redirect.registerDeviceWithUniqueUrl", parameters)
    }

    func unregister(_ mac: String) throws(ServiceFailure) { try client.demand("redirect.deRegisterDevice", [.text(mac)]) }

    /// No method asks for the account alone: one that asks for a phone answers only those who have one.
    func check() throws(ServiceFailure) { _ = try client.call("redirect.checkDevice", [.text("000000000000")]) }
}

/// Snom's older service: `https://secure-provisioning.snom.com:8083/xmlrpc/`. MACs in upper case.
struct SnomXMLRPC: VendorService {
    let client: XMLRPCClient

    func register(_ mac: String, url: String) throws(ServiceFailure) {
        try client.demand("redirect.registerPhone", [.text(mac.uppercased()), .text(url)])
    }

    func unregister(_ mac: String) throws(ServiceFailure) { try client.demand("redirect.deregisterPhone", [.text(mac.uppercased())]) }

    func check() throws(ServiceFailure) { _ = try client.call("redirect.checkPhone", [.text("000000000000")]) }
}

/// Fanvil's FDPS: `https://fdps.fanvil.com/xmlrpc.php`. What a phone is told is a group of settings; each phone has one,
/// named as its MAC.
struct FanvilFDPS: VendorService {
    let client: XMLRPCClient

    /// The password goes out as the MD5 of its MD5, both in hexadecimal.
    init(exchange: any ServiceExchange, url: ServiceURL, user: String, password: Personal<String>) {
        let once = hexadecimal(Hash.md5(Array(password.exposed.utf8)))
        client = XMLRPCClient(exchange: exchange, url: url, user: user, password: Personal(hexadecimal(Hash.md5(Array(once.utf8)))))
    }

    func register(_ mac: String, url: String) throws(ServiceFailure) {
        guard let settings = Self.settings(mac, url) else { throw .refused("the address is none of HTTP or HTTPS") }
        // Neither is there the first time, which the service says by refusing.
        _ = try client.call("redirect.deRegisterDevice", [.text(mac)])
        _ = try client.call("redirect.deleteServer", [.text(mac)])
        try client.demand("redirect.addMaterialServer", [.list(settings.map { .text($0) })])
        try client.demand("redirect.registerDevice", [.text(mac), .text(mac)])
    }

    func unregister(_ mac: String) throws(ServiceFailure) {
        try client.demand("redirect.deRegisterDevice", [.text(mac)])
        _ = try client.call("redirect.deleteServer", [.text(mac)])
    }

    func check() throws(ServiceFailure) { _ = try client.call("redirect.deleteServer", [.text("000000000000")]) }

    /// Protocol 4 is HTTP, 5 HTTPS; mode 1: after each start of the phone.
    private static func settings(_ mac: String, _ url: String) -> [String]? {
        for (scheme, number) in [("http://", 4), ("https://", 5)] where url.hasPrefix(scheme) {
            let rest = url.dropFirst(scheme.utf8.count)
            let host = rest.prefix { $0 != "/" }
            let path = rest.dropFirst(host.count)
            return ["cfgName=\(mac)", "cfgPfMode=1", "cfgPfSrv=\(host)", "cfgPfName=\(path)", "cfgPfProt=\(number)"]
        }
        return nil
    }
}
