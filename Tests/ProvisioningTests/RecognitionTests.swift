import HotDeskPolicy
import Provisioning
import Testing

/// Who asks for what, by path, User-Agent and certificate.
@Suite struct RecognitionTests {
    private static let yealink = "Yealink SIP-T54W 96.86.0.90 80:5e:c0:aa:bb:01"

    @Test(arguments: [
        ("805ec0aabb01.cfg", "Yealink SIP-T54W 96.86.0.90 80:5e:c0:aa:bb:01", "yealink-t54w", FileKind.device),
        ("805ec0aabb01.boot", "Yealink SIP-T54W 96.86.0.90 805ec0aabb01", "yealink-t54w", .index),
        ("y000000000000.boot", "Yealink SIP-T54W 96.86.0.90 805ec0aabb01", "yealink-t54w", .common),
        ("y000000000096.cfg", "Yealink SIP-T54W 96.86.0.90 805ec0aabb01", "yealink-t54w", .common),
        ("805ec0aabb01-local.cfg", "Yealink SIP-T54W 96.86.0.90 805ec0aabb01", "yealink-t54w", .optional),
        ("805ec0aabb01.cfg", "Fanvil X4U 2.12.16.17 805ec0aabb01", "fanvil-x4u", .device),
        ("F0V00X200000.cfg", "Fanvil X6U Pro 2.12.16.17 805ec0aabb01", "fanvil-x6u", .common),
        ("snomD785.htm", "Mozilla/4.0 (compatible; snomD785-SIP 10.1.169.16 2010.12-00004-g9a43 805EC0AABB01 SXM:0 UXM:0 UXMC:0)", "snom-d785", .common),
        ("snomD785-805EC0AABB01.htm", "Mozilla/4.0 (compatible; snomD785-SIP 10.1.169.16 805EC0AABB01 SXM:0)", "snom-d785", .device),
        ("805EC0AABB01.xml", "Mozilla/4.0 (compatible; snomD785-SIP 10.1.169.16 2010.12 805EC0AABB01)", "snom-d785", .device),
        ("cfg805ec0aabb01.xml", "Grandstream Model HW GRP2614 SW 1.0.5.15 DevId 805ec0aabb01", "grandstream-grp2614", .device),
        ("cfg805ec0aabb01", "Grandstream Model HW GRP2614 SW 1.0.5.15 DevId 805ec0aabb01", "grandstream-grp2614", .optional),
        ("cfggrp2614.xml", "Grandstream Model HW GRP2614 SW 1.0.5.15 DevId 805ec0aabb01", "grandstream-grp2614", .common),
        ("805ec0aabb01.cfg", "FileTransport PolycomVVX-VVX_450-UA/6.4.6.2453 Type/Application", "poly-vvx450", .index),
        ("805ec0aabb01-edge.cfg", "FileTransport PolycomVVX-VVX_450-UA/6.4.6.2453 (SN:805ec0aabb01) Type/Application", "poly-vvx450", .device),
        ("805ec0aabb01-app.log", "FileTransport PolycomVVX-VVX_450-UA/6.4.6.2453 Type/Application", "poly-vvx450", .log),
        ("805ec0aabb01.xml", "Cisco-CP-8851-3PCC/11.0.1 (805ec0aabb01)", "cisco-8851", .device),
        ("8851-3PCC.xml", "Cisco-CP-8851-3PCC/11.0.1 (805ec0aabb01)", "cisco-8851", .common),
    ])
    func knows(_ name: String, _ agent: String, _ model: String, _ kind: FileKind) throws {
        let fetch = try Phones.catalogue.recognise(FetchRequest(fileName: name, userAgent: agent))
        #expect(fetch.mac == MACAddress("805ec0aabb01"))
        #expect(fetch.agent?.model == model)
        #expect(fetch.kind(for: Phones.model(model)) == kind)
        #expect(fetch.mismatch(with: Phones.model(model)) == nil)
        #expect(fetch.agent?.firmware?.isEmpty == false)
    }

    /// Without a User-Agent of a phone the name may be of several vendors' files; the enrolled model decides.
    @Test func nameAlone() throws {
        let fetch = try Phones.catalogue.recognise(FetchRequest(fileName: "805ec0aabb01.cfg", userAgent: "curl/8.0"))
        #expect(fetch.kinds[.yealink] == .device && fetch.kinds[.fanvil] == .device && fetch.kinds[.poly] == .index && fetch.kinds[.snom] == nil)
        #expect(fetch.mac == MACAddress("805ec0aabb01") && fetch.agent == nil)
        #expect(fetch.kind(for: Phones.model("snom-d785")) == nil && fetch.kind(for: .generic) == nil)
    }

    @Test(arguments: [
        (FetchRequest(fileName: "805ec0aabb02.cfg", userAgent: yealink), FetchRefusal.macDisagreement),
        (FetchRequest(fileName: "805ec0aabb01.cfg", userAgent: yealink, certificateSubject: "CN=805EC0AABB02"), .macDisagreement),
        (FetchRequest(fileName: "805ec0aabb01.cfg", certificateSubject: "CN=805EC0AABB02"), .macDisagreement),
        (FetchRequest(fileName: "805ec0aabb01.cfg", certificateSubject: "CN=805EC0AABB01, S=805EC0AABB02"), .macDisagreement),
        (FetchRequest(fileName: "cfg805ec0aabb01.xml", userAgent: yealink), .vendorDisagreement),
        (FetchRequest(fileName: "passwd"), .unknownFile), (FetchRequest(fileName: "805ec0aabb01.cfg.bak"), .unknownFile),
        (FetchRequest(fileName: ""), .badName), (FetchRequest(fileName: "../805ec0aabb01.cfg"), .badName),
        (FetchRequest(fileName: "..cfg"), .badName), (FetchRequest(fileName: "%2e%2e"), .badName),
        (FetchRequest(fileName: "805ec0aabb01.cfg\0"), .badName), (FetchRequest(fileName: String(repeating: "a", count: 129)), .badName),
    ])
    func trap22RefusesWhatDoesNotAgree(_ request: FetchRequest, _ refusal: FetchRefusal) {
        #expect(throws: refusal) { try Phones.catalogue.recognise(request) }
    }

    @Test(arguments: [
        "CN=805EC0AABB01,O=Yealink", "/C=CN/O=Yealink/CN=805ec0aabb01", "CN = 80:5e:c0:aa:bb:01", "OU=CP-8841-3PCC, L=FCH2212DJ5E, S=805ec0aabb01",
        "CN=SEP805EC0AABB01", "serialNumber=805ec0aabb01+CN=phone",
    ])
    func certificate(subject: String) throws {
        let fetch = try Phones.catalogue.recognise(FetchRequest(fileName: "y000000000096.cfg", certificateSubject: subject))
        #expect(fetch.mac == MACAddress("805ec0aabb01"))
    }

    @Test(arguments: ["", "CN=Yealink Equipment Issuing CA", "CN", "====", String(repeating: "CN=805ec0aabb01,", count: 10_000)])
    func certificateWithoutAMAC(subject: String) throws {
        let fetch = try Phones.catalogue.recognise(FetchRequest(fileName: "805ec0aabb01.cfg", certificateSubject: subject))
        #expect(fetch.mac == MACAddress("805ec0aabb01"))
    }

    /// Another vendor's phone at the desk, and one of a model that is not in the catalogue.
    @Test func mismatches() throws {
        let fetch = try Phones.catalogue.recognise(FetchRequest(fileName: "805ec0aabb01.cfg", userAgent: Self.yealink))
        #expect(fetch.mismatch(with: Phones.model("snom-d785")) == .vendor(enrolled: "snom-d785", seen: .yealink))
        let unknown = try Phones.catalogue.recognise(FetchRequest(fileName: "805ec0aabb01.cfg", userAgent: "Yealink SIP-T99Q 1.2 805ec0aabb01"))
        #expect(unknown.agent?.model == nil && unknown.mismatch(with: Phones.model("yealink-t54w")) == nil)
    }

    /// Trap 13: the whole list a phone asks for after its boot costs little.
    @Test func trap13OptionalFilesAreKnown() throws {
        for vendor in Vendor.allCases {
            let table = try #require(Phones.catalogue.vendors[vendor])
            for pattern in table.files[.optional] ?? [] {
                let name = pattern.text.replacing("{mac}", with: "805ec0aabb01").replacing("{MAC}", with: "805EC0AABB01")
                    .replacing("{model}", with: "X").replacing("{any}", with: "a")
                let fetch = try Phones.catalogue.recognise(FetchRequest(fileName: name))
                #expect(fetch.kinds[vendor] == .optional, "\(name)")
            }
        }
    }
}
