import CoreTypes
import CryptoPrimitives
import FoundationEssentials

/// Snom's SRAPS: `https://api.sraps.snom.com/api/v1/`. JSON, each request signed by Hawk (github.com/mozilla/hawk, header
/// version 1). A phone is an endpoint of the company the key belongs to; its server is one of its settings.
struct SnomSRAPS: VendorService {
    let exchange: any ServiceExchange
    /// The service's base; its path ends with "/".
    let url: ServiceURL
    let key: String
    let secret: Personal<String>
    /// The time of day: a request that is a minute off is refused.
    let now: () -> Instant
    /// A word used once.
    let nonce: () -> String

    // MARK: The service

    func register(_ mac: String, url: String) throws(ServiceFailure) {
        let setting = try settingOfServer()
        let endpoint = Endpoint(mac: mac, settings_manager: [setting: Setting(value: url)])
        guard let json = try? JSONEncoder().encode(endpoint) else { throw .refused("it cannot be said in JSON") }
        let answer = try send("PUT", try place(of: mac), [UInt8](json))
        guard (200...299).contains(answer.status) else { throw failure(answer) }
    }

    func unregister(_ mac: String) throws(ServiceFailure) {
        let answer = try send("DELETE", try place(of: mac))
        guard (200...299).contains(answer.status) || answer.status == 404 else { throw failure(answer) }
    }

    func check() throws(ServiceFailure) { _ = try endpoints() }

    private func place(of mac: String) throws(ServiceFailure) -> ServiceURL {
        let base = try endpoints()
        return base.at(base.target.hasSuffix("/") ? base.target + mac : "\(base.target)/\(mac)")
    }

    /// Where the phones of our company are: by way of the key and the company.
    private func endpoints() throws(ServiceFailure) -> ServiceURL {
        let token: Linked<Token> = try get(url.at(url.target + "tokens/\(key)"))
        let company: Linked<Company> = try get(try here(token.links.company))
        return try here(company.links.endpoints)
    }

    /// Our signature is for this service alone, wherever its answers point.
    private func here(_ link: String) throws(ServiceFailure) -> ServiceURL {
        guard let link = ServiceURL(link), link.isSamePlace(as: url) else { throw .unavailable("it points to another host") }
        return link
    }

    /// The list comes in pages; the next one is named by a Link (RFC 8288).
    private func settingOfServer() throws(ServiceFailure) -> String {
        var next: ServiceURL? = url.at(url.target + "settings/?page_size=1000")
        for _ in 0..<20 {
            guard let page = next else { break }
            let answer = try send("GET", page)
            guard answer.status == 200 else { throw failure(answer) }
            guard let list = try? JSONDecoder().decode([Listed].self, from: Data(answer.body)) else {
                throw .unavailable("its list of settings cannot be read")
            }
            if let setting = list.first(where: { $0.param_name == "setting_server" }) { return setting.uuid }
            next = try Self.next(answer.headers["link"] ?? "").map { link throws(ServiceFailure) in try here(link) }
        }
        throw .unavailable("it has no setting for a phone's server")
    }

    private static func next(_ header: String) -> String? {
        for link in header.split(separator: ",") where link.contains("rel=\"next\"") {
            guard let begin = link.firstIndex(of: "<"), let end = link.firstIndex(of: ">"), begin < end else { continue }
            return String(link[begin..<end].dropFirst())
        }
        return nil
    }

    // MARK: What is said

    private struct Endpoint: Encodable {
        var mac: String
        var autoprovisioning_enabled = true
        var settings_manager: [String: Setting]
    }
    private struct Setting: Encodable {
        var value: String
        var attrs = ["perm": "RW"]
    }
    private struct Listed: Decodable { var uuid: String, param_name: String }
    private struct Linked<Links: Decodable>: Decodable { var links: Links }
    private struct Token: Decodable { var company: String }
    private struct Company: Decodable { var endpoints: String }
    private struct Reason: Decodable { var message, detail, error: String? }

    // MARK: Exchange

    private func get<Value: Decodable>(_ place: ServiceURL) throws(ServiceFailure) -> Value {
        let answer = try send("GET", place)
        guard answer.status == 200 else { throw failure(answer) }
        guard let value = try? JSONDecoder().decode(Value.self, from: Data(answer.body)) else {
            throw .unavailable("its answer has not what was asked for")
        }
        return value
    }

    private func failure(_ answer: ServiceAnswer) -> ServiceFailure {
        let reason = try? JSONDecoder().decode(Reason.self, from: Data(answer.body))
        return ServiceFailure(status: answer.status, ServiceText.clean(reason?.message ?? reason?.detail ?? reason?.error ?? ""))
    }

    private func send(_ method: String, _ place: ServiceURL, _ body: [UInt8] = []) throws(ServiceFailure) -> ServiceAnswer {
        var request = ServiceRequest(method: method, url: place, headers: [("Accept", "application/json")], body: body)
        let contentType = body.isEmpty ? "" : "application/json"
        if !body.isEmpty { request.headers.append(("Content-Type", contentType)) }
        request.headers.append(("Authorization", authorization(method, place, body, contentType)))
        return try exchange.answer(to: request)
    }

    private func authorization(_ method: String, _ place: ServiceURL, _ body: [UInt8], _ contentType: String) -> String {
        let (time, word) = (now().unixSeconds, nonce())
        let hash = Base64.encode(Hash.sha256(Array("hawk.1.payload\n\(contentType)\n".utf8) + body + [0x0A]))
        let text = "hawk.1.header\n\(time)\n\(word)\n\(method)\n\(place.target)\n\(place.host.lowercased())\n\(place.port)\n\(hash)\n\n"
        let mac = Base64.encode(Hash.hmacSHA256(key: Array(secret.exposed.utf8), Array(text.utf8)))
        return "Hawk id=\"\(key)\", ts=\"\(time)\", nonce=\"\(word)\", hash=\"\(hash)\", mac=\"\(mac)\""
    }
}
