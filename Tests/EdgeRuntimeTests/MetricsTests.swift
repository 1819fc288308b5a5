import CoreTypes
import EdgeProxy
import Media
import MediaRelay
import SIPMessage
import Testing

@testable import EdgeRuntime

@Suite struct MetricsTests {
    private static func status(_ site: String = "branch-01") -> ControlStatus {
        var status = ControlStatus(
            site: site, version: "0.1.0", started: 1_700_000_000,
            devices: [
                .init(
                    name: "HD0001", model: "generic-sip", location: "", extension: "100", person: "Alice Smith", since: 1, registered: true,
                    address: "192.0.2.1", registeredAtPBX: true, calls: 1, pinnedUntil: nil),
                .init(
                    name: "HD0002", model: "generic-sip", location: "", extension: nil, person: "", since: nil, registered: false,
                    address: "", registeredAtPBX: nil, calls: 0, pinnedUntil: nil),
            ],
            nodes: [.init(name: "pbx.example:5061", up: true)], calls: 1, freeMediaPorts: 30, degraded: ["the disk is full"])
        status.mediaWay = "epoll"
        return status
    }

    /// The same site, its phones provisioned: one is right, one never fetches.
    private static func phones() -> ControlStatus {
        var status = status()
        status.devices[0].phone = "current"
        status.devices[1].phone = "overdue"
        var times = DurationHistogram()
        for seconds in [2, 4, 4, 300] { times.add(.seconds(seconds)) }
        status.readyTimes = [.init(model: "yealink-t54w", times)]
        return status
    }

    @Test func phonesAndTheTimeUntilTheyAreReady() {
        var fetches = PhoneWeb.Counts()
        fetches.challenges = 3
        let lines = MetricsText(Self.phones(), media: MediaCounters(), calls: CallTotals().totals, fetches: fetches).text.split(separator: "\n")
        for line in [
            #"edgeproxy_phones{state="current"} 1"#, #"edgeproxy_phones{state="overdue"} 1"#, #"edgeproxy_phones{state="waiting"} 0"#,
            #"edgeproxy_phone_ready_seconds_bucket{model="yealink-t54w",le="1"} 0"#, #"edgeproxy_phone_ready_seconds_bucket{model="yealink-t54w",le="2"} 1"#,
            #"edgeproxy_phone_ready_seconds_bucket{model="yealink-t54w",le="5"} 3"#, #"edgeproxy_phone_ready_seconds_bucket{model="yealink-t54w",le="120"} 3"#,
            #"edgeproxy_phone_ready_seconds_bucket{model="yealink-t54w",le="+Inf"} 4"#, #"edgeproxy_phone_ready_seconds_sum{model="yealink-t54w"} 310"#,
            #"edgeproxy_phone_ready_seconds_count{model="yealink-t54w"} 4"#, #"edgeproxy_phone_requests_total{answer="challenge"} 3"#,
        ] { #expect(lines.contains(Substring(line)), "\(line)") }
    }

    private static func record(_ quality: [LegQuality]) throws -> CallRecord {
        let uri = try URI(parsing: "sip:100@pbx.example")
        let now = Instant(nanoseconds: 0)
        return CallRecord(
            party: "HD0001", extension: "100", direction: .outbound, from: uri, to: uri, began: now, answered: now, ended: now,
            reason: .hungUpHere, quality: quality)
    }

    @Test func everyLineIsOneOfTheFormat() throws {
        let totals = CallTotals()
        totals.add(try Self.record([
            LegQuality(received: 99, expected: 100, lost: 1, jitter: .milliseconds(4), roundTrip: .milliseconds(80), codec: .g711),
            LegQuality(received: 0, expected: 0, lost: 0),
        ]))
        let text = MetricsText(Self.status("a\"b\\c"), media: MediaCounters(), calls: totals.totals, fetches: PhoneWeb.Counts()).text
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.last == "", "it ends in a line feed")
        var seen: Set<Substring> = []
        for line in lines.dropLast() where !line.hasPrefix("#") {
            let match = try #require(
                line.wholeMatch(of: /(edgeproxy_[a-z_]+(\{([a-z_]+="([^"\\]|\\["\\n])*",?)+\})?) (-?[0-9.e+-]+)/), "\(line)")
            #expect(seen.insert(match.1).inserted, "\(line) is there twice")
        }
        for line in [
            #"edgeproxy_build_info{version="0.1.0",site="a\"b\\c"} 1"#, "edgeproxy_devices 2", "edgeproxy_devices_registered 1",
            "edgeproxy_sessions 1", #"edgeproxy_pbx_node_up{node="pbx.example:5061"} 1"#, "edgeproxy_degraded 1", #"edgeproxy_media_way{way="epoll"} 1"#,
            #"edgeproxy_calls_ended_total{direction="outbound",answered="true",emergency="false"} 1"#,
            #"edgeproxy_leg_loss_ratio_bucket{leg="phone",le="0.005"} 0"#, #"edgeproxy_leg_loss_ratio_bucket{leg="phone",le="0.01"} 1"#,
            #"edgeproxy_leg_loss_ratio_bucket{leg="phone",le="+Inf"} 1"#, #"edgeproxy_leg_loss_ratio_sum{leg="phone"} 0.01"#,
            #"edgeproxy_leg_round_trip_seconds_bucket{leg="phone",le="0.05"} 0"#, #"edgeproxy_leg_round_trip_seconds_count{leg="phone"} 1"#,
            #"edgeproxy_leg_mos_count{leg="pbx"} 0"#, #"edgeproxy_media_dropped_total{reason="foreign"} 0"#,
        ] { #expect(lines.contains(Substring(line)), "\(line)") }
        #expect(!text.contains("Alice") && !text.contains("HD0001"))
        #expect(!text.contains("headend"), "without a tunnel nothing is said of it")
    }

    @Test func theTunnelsLanesAreTold() {
        var status = Self.status()
        status.headends = [
            .init(
                name: "192.0.2.5:5090", state: "active", lane: "datagram", streamRoundTrip: 81, datagramRoundTrip: nil, datagramLoss: 12,
                isRepeating: true, repeated: 150, calls: ["datagram": 2], laneChanges: 3, late: 4),
            .init(name: "192.0.2.6:5090", state: "down", lane: "stream", isRepeating: false, repeated: 0, calls: [:], laneChanges: 0, late: 0),
        ]
        let lines = MetricsText(status, media: MediaCounters(), calls: CallTotals().totals, fetches: nil).text.split(separator: "\n")
        for line in [
            #"edgeproxy_calls_by_lane{lane="datagram"} 2"#, #"edgeproxy_calls_by_lane{lane="stream"} 0"#,
            #"edgeproxy_headend_up{headend="192.0.2.5:5090",state="active"} 1"#, #"edgeproxy_headend_up{headend="192.0.2.6:5090",state="down"} 0"#,
            #"edgeproxy_headend_round_trip_seconds{headend="192.0.2.5:5090",lane="stream"} 0.081"#,
            #"edgeproxy_headend_datagram_loss_ratio{headend="192.0.2.5:5090"} 0.012"#,
            #"edgeproxy_headend_repeated_media_total{headend="192.0.2.5:5090"} 150"#,
            #"edgeproxy_headend_lane_changes_total{headend="192.0.2.5:5090"} 3"#,
            #"edgeproxy_headend_late_media_total{headend="192.0.2.5:5090"} 4"#,
        ] { #expect(lines.contains(Substring(line)), "\(line)") }
    }
}
