import CoreTypes
import CryptoPrimitives
import FoundationEssentials

/// Yealink RPS, version 3.6: `https://api-dm.yealink.com:8443/`. JSON, each request signed with the access key's secret.
struct YealinkRPS: VendorService {
    let exchange: any ServiceExchange
    /// The service's base; its path ends with "/".
    let url: ServiceURL
    let key: String
    let secret: Personal<String>
    /// Name of the server's entry: unique among all of Yealink's customers.
    let server: String
    /// The time of day: a request that is a minute off is refused.
    let now: () -> Instant
    /// A word used once.
    let nonce: () -> String

    // MARK: The service

    func register(_ mac: String, url: String) throws(ServiceFailure) {
        let server = try serverID(url)
        do throws(ServiceFailure) {
            try call("device/add", Added(macs: [mac], serverId: server, uniqueServerUrl: url))
        } catch .refused("device.mac.existed") {
            let found: Found<Device> = try ask("device/list", Search(key: mac))
            guard let device = found.data.first(where: { $0.bare == mac }) else {
                throw .refused("the phone belongs to another account")
            }
            try call("device/edit", Edited(id: device.id, serverId: server, uniqueServerUrl: url))
        }
    }

    func unregister(_ mac: String) throws(ServiceFailure) {
        do throws(ServiceFailure) {
            try call("device/delete", Removed(macs: [mac]))
        } catch .refused("device.not.found") {
            return
        }
    }

    func check() throws(ServiceFailure) { let _: Found<Server> = try ask("server/list", Search(key: server)) }

    /// The server's entry, made where it is not there.
    private func serverID(_ address: String) throws(ServiceFailure) -> String {
        let found: Found<Server> = try ask("server/list", Search(key: server))
        if let entry = found.data.first(where: { $0.serverName == server }) { return entry.id }
        let made: Made = try ask("server/add", NewServer(serverName: server, url: address))
        return made.id
    }

    // MARK: What is said

    private struct Search: Encodable {
        var key: String
        var skip = 0
        var limit = 50
    }
    private struct Added: Encodable { var macs: [String], serverId: String, uniqueServerUrl: String }
    private struct Edited: Encodable { var id: String, serverId: String, uniqueServerUrl: String }
    private struct Removed: Encodable { var macs: [String] }
    private struct NewServer: Encodable { var serverName: String, url: String }
    private struct Found<Element: Decodable>: Decodable { var data: [Element] }
    private struct Made: Decodable { var id: String }
    private struct Server: Decodable { var id: String, serverName: String }
    private struct Device: Decodable {
        var id: String
        var mac: String
        var bare: String { mac.lowercased().filter { $0 != ":" && $0 != "-" } }
    }
    /// The frame of every answer: a negative `ret` is a refusal, with its reason as a key.
    private struct Frame: Decodable {
        struct Reason: Decodable {
            struct Field: Decodable { var msg: String? }
            var msg: String?
            var fieldErrors: [Field]?
            var text: String { msg ?? fieldErrors?.compactMap(\.msg).first ?? "" }
        }
        var ret: Int
        var error, errors: Reason?
    }
    private struct Content<Value: Decodable>: Decodable { var data: Value }

    // MARK: Exchange

    private func call(_ name: String, _ body: some Encodable) throws(ServiceFailure) { _ = try send(name, body) }

    private func ask<Value: Decodable>(_ name: String, _ body: some Encodable) throws(ServiceFailure) -> Value {
        let bytes = try send(name, body)
        guard let content = try? JSONDecoder().decode(Content<Value>.self, from: Data(bytes)) else {
            throw .unavailable("its answer to \(name) has not what was asked for")
        }
        return content.data
    }

    private func send(_ name: String, _ body: some Encodable) throws(ServiceFailure) -> [UInt8] {
        guard let json = try? JSONEncoder().encode(body) else { throw .refused("it cannot be said in JSON") }
        let answer = try exchange.answer(to: signed(url.target + "api/open/v1/" + name, [UInt8](json)))
        guard let frame = try? JSONDecoder().decode(Frame.self, from: Data(answer.body)) else { throw ServiceFailure(status: answer.status) }
        guard frame.ret < 0 || answer.status != 200 else { return answer.body }
        let reason = ServiceText.clean((frame.error ?? frame.errors)?.text ?? "")
        if answer.status == 200, !reason.isEmpty { throw .refused(reason) }
        throw ServiceFailure(status: answer.status, reason)
    }

    /// The signature covers method, the headers below sorted by name, and the path without its first slash.
    private func signed(_ path: String, _ body: [UInt8]) -> ServiceRequest {
        var headers: [(name: String, value: String)] = [
            ("Content-MD5", Base64.encode(Hash.md5(body))), ("X-Ca-Key", key), ("X-Ca-Nonce", nonce()),
            ("X-Ca-Timestamp", "\(now().nanoseconds / 1_000_000)"),
        ]
        let text = "POST\n" + headers.map { "\($0.name):\($0.value)\n" }.joined() + path.dropFirst()
        headers.append(("X-Ca-Signature", Base64.encode(Hash.hmacSHA256(key: Array(secret.exposed.utf8), Array(text.utf8)))))
        headers.append(("Content-Type", "application/json;charset=UTF-8"))
        return ServiceRequest(url: url.at(path), headers: headers, body: body)
    }
}
