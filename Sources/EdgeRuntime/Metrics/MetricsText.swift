import EdgeProxy
import MediaRelay

/// The state of an edge in the text format of Prometheus, version 0.0.4. Names no person, number or call.
struct MetricsText {
    private(set) var text = ""

    /// - Parameter fetches: what phones fetched; nil: they fetch nothing here.
    init(_ status: ControlStatus, media: MediaCounters, calls: CallTotals.Totals, fetches: PhoneWeb.Counts? = nil) {
        addSite(status)
        addPhones(status, fetches)
        addTunnel(status)
        addMedia(media)
        addCalls(calls)
    }

    private mutating func addSite(_ status: ControlStatus) {
        metric("build_info", "gauge", "1, with the version of the program.", [(1, [("version", status.version), ("site", status.site)])])
        metric("start_time_seconds", "gauge", "When the process started, in seconds since the Unix epoch.", [(Double(status.started), [])])
        metric("devices", "gauge", "Hot-desk devices of the site.", [(Double(status.devices.count), [])])
        metric("devices_registered", "gauge", "Devices that are registered at the edge.", [(count(status) { $0.registered }, [])])
        metric("sessions", "gauge", "Devices on which somebody is logged in.", [(count(status) { $0.extension != nil }, [])])
        metric(
            "sessions_registered_at_pbx", "gauge", "Sessions whose extension is registered at the PBX.",
            [(count(status) { $0.registeredAtPBX == true }, [])])
        metric("pbx_node_up", "gauge", "Whether a PBX node can be reached.", status.nodes.map { ($0.up ? 1 : 0, [("node", $0.name)]) })
        metric("calls", "gauge", "Calls and subscriptions that go on.", [(Double(status.calls), [])])
        if let way = status.mediaWay { metric("media_way", "gauge", "How packets of media are moved, as a label.", [(1, [("way", way)])]) }
        metric("media_ports_free", "gauge", "Pairs of media ports that wait for a call.", [(Double(status.freeMediaPorts), [])])
        metric("degraded", "gauge", "How many parts do not work at the moment.", [(Double(status.degraded.count), [])])
    }

    private func count(_ status: ControlStatus, where condition: (ControlStatus.Device) -> Bool) -> Double {
        Double(status.devices.count(where: condition))
    }

    private mutating func addPhones(_ status: ControlStatus, _ fetches: PhoneWeb.Counts?) {
        let states = PhoneState.allCases.map(\.rawValue)
        metric(
            "phones", "gauge", "Provisioned phones by how they fare with their configuration; overdue ones never fetched it.",
            states.map { state in (count(status) { $0.phone == state }, [("state", state)]) })
        head("phone_ready_seconds", "histogram", "From a right PIN to the moment the phone had its configuration.")
        for times in status.readyTimes {
            buckets("phone_ready_seconds", ("model", times.model), bounds: times.bounds.map { "\($0)" }, counts: times.counts, sum: times.sum)
        }
        let redirects = status.devices.compactMap(\.redirect) + (status.leavingRedirects ?? [])
        if !redirects.isEmpty {
            metric(
                "redirects", "gauge", "Phones by what their vendor's redirect service knows of them.",
                ["registered", "waiting", "failed", "leaving"].map { state in
                    (Double(redirects.count { $0.state == state }), [("state", state)])
                })
        }
        guard let fetches else { return }
        metric(
            "phone_requests_total", "counter", "Requests of phones over HTTP and HTTPS, by what they were answered.",
            [
                (Double(fetches.files), [("answer", "file")]), (Double(fetches.bootstraps), [("answer", "bootstrap")]),
                (Double(fetches.missing), [("answer", "missing")]), (Double(fetches.busy), [("answer", "busy")]),
                (Double(fetches.challenges), [("answer", "challenge")]), (Double(fetches.logs), [("answer", "log")]),
            ])
    }

    private mutating func addTunnel(_ status: ControlStatus) {
        guard let headends = status.headends else { return }
        let lanes = ["datagram", "stream"]
        metric(
            "calls_by_lane", "gauge", "Calls whose media goes by a lane of the tunnel.",
            lanes.map { lane in (Double(headends.reduce(0) { $0 + ($1.calls[lane] ?? 0) }), [("lane", lane)]) })
        metric(
            "headend_up", "gauge", "Whether a headend of the tunnel is connected, and in what standing.",
            headends.map { ($0.state == "active" || $0.state == "standby" ? 1 : 0, [("headend", $0.name), ("state", $0.state)]) })
        metric(
            "headend_round_trip_seconds", "gauge", "There and back by a lane.",
            headends.flatMap { headend in
                [("stream", headend.streamRoundTrip), ("datagram", headend.datagramRoundTrip)].compactMap { lane, milliseconds in
                    milliseconds.map { (Double($0) / 1000, [("headend", headend.name), ("lane", lane)]) }
                }
            })
        metric(
            "headend_datagram_loss_ratio", "gauge", "Lost of the datagrams the edge sends.",
            headends.compactMap { headend in headend.datagramLoss.map { (Double($0) / 1000, [("headend", headend.name)]) } })
        metric(
            "headend_repeated_media_total", "counter", "Packets sent by datagrams a second time, for what gets lost.",
            headends.map { (Double($0.repeated), [("headend", $0.name)]) })
        metric("headend_lane_changes_total", "counter", "Changes of the lane media goes by.", headends.map { (Double($0.laneChanges), [("headend", $0.name)]) })
        metric("headend_late_media_total", "counter", "Media dropped for being late on the stream lane.", headends.map { (Double($0.late), [("headend", $0.name)]) })
    }

    private mutating func addMedia(_ media: MediaCounters) {
        metric(
            "media_packets_total", "counter", "RTP and RTCP packets that came, were forwarded, went straight from one call of the site to another, or were spoken by the edge itself.",
            [(Double(media.received), [("what", "received")]), (Double(media.forwarded), [("what", "forwarded")]),
                (Double(media.joined), [("what", "joined")]), (Double(media.spoken), [("what", "spoken")])])
        metric(
            "media_dropped_total", "counter", "RTP and RTCP packets that went nowhere, by reason.",
            MediaDropReason.allCases.map { (Double(media.dropped($0)), [("reason", "\($0)")]) })
    }

    private mutating func addCalls(_ calls: CallTotals.Totals) {
        var ended: [(Double, [(String, String)])] = []
        for direction in CallRecord.Direction.allCases {
            for isAnswered in [true, false] {
                for isEmergency in [false, true] {
                    let kind = CallTotals.Kind(direction: direction, isAnswered: isAnswered, isEmergency: isEmergency)
                    ended.append((Double(calls.ended[kind] ?? 0), [
                        ("direction", direction.rawValue), ("answered", "\(isAnswered)"), ("emergency", "\(isEmergency)"),
                    ]))
                }
            }
        }
        metric("calls_ended_total", "counter", "Calls that are over.", ended)
        let sides = [("phone", calls.phone), ("pbx", calls.pbx)]
        histogram("leg_mos", "Opinion of what came from the far end of a leg, by the E-model, when its call was over.", sides.map { ($0, $1.mos) })
        histogram("leg_loss_ratio", "Lost of the packets a far end sent, when its call was over.", sides.map { ($0, $1.loss) })
        histogram("leg_jitter_seconds", "Interarrival jitter at the end of a call.", sides.map { ($0, $1.jitter) })
        histogram("leg_round_trip_seconds", "Mean time from the edge to a far end and back in a call.", sides.map { ($0, $1.roundTrip) })
    }

    // MARK: Format

    private mutating func head(_ name: String, _ kind: String, _ help: String) {
        text += "# HELP edgeproxy_\(name) \(help)\n# TYPE edgeproxy_\(name) \(kind)\n"
    }

    private mutating func metric(_ name: String, _ kind: String, _ help: String, _ values: [(Double, [(String, String)])]) {
        head(name, kind, help)
        for (value, labels) in values { line(name, labels, value) }
    }

    private mutating func histogram(_ name: String, _ help: String, _ legs: [(String, CallTotals.Histogram)]) {
        head(name, "histogram", help)
        for (leg, histogram) in legs {
            buckets(name, ("leg", leg), bounds: histogram.bounds.map { "\($0)" }, counts: histogram.counts, sum: histogram.sum)
        }
    }

    private mutating func buckets(_ name: String, _ label: (String, String), bounds: [String], counts: [UInt64], sum: Double) {
        var total: UInt64 = 0
        for (bound, count) in zip(bounds + ["+Inf"], counts) {
            total &+= count
            line("\(name)_bucket", [label, ("le", bound)], Double(total))
        }
        line("\(name)_sum", [label], sum)
        line("\(name)_count", [label], Double(total))
    }

    private mutating func line(_ name: String, _ labels: [(String, String)], _ value: Double) {
        let list = labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
        let number = value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
        text += "edgeproxy_\(name)" + (list.isEmpty ? "" : "{\(list)}") + " \(number)\n"
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
