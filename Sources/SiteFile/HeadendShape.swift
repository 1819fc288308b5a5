/// A headend's file by its shape alone.
struct HeadendShape {
    var name, state, control: Placed<String>?
    var listen: Placed<[Placed<String>]>?
    var mtu: Placed<Int>?
    var ca, certificate, key: Placed<String>?
    var caKey, tokenLife: Placed<String>?
    var certificateDays: Placed<Int>?
    var nodes: Placed<[Placed<String>]>?
    var address, pbxCA: Placed<String>?
    var media: MediaSection?
    var maximumSites, streamsPerSite: Placed<Int>?
    var dscp: DSCPSection?
    var level: Placed<String>?

    init(_ document: [String: TOMLNode], problems: Problems) {
        let top = TableReader(document, path: .root, problems: problems)
        func section(_ key: String) -> TableReader { top.table(key) ?? TableReader([:], path: KeyPath.root.key(key), problems: problems) }
        let headend = section("headend")
        name = headend.string("name")
        listen = headend.stringOrStrings("listen")
        state = headend.string("state")
        control = headend.string("control")
        mtu = headend.integer("mtu")
        dscp = headend.table("dscp").map(DSCPSection.init)
        headend.finish()
        let tls = section("tls")
        ca = tls.string("ca")
        certificate = tls.string("certificate")
        key = tls.string("key")
        tls.finish()
        let enrol = section("enrol")
        caKey = enrol.string("ca_key")
        certificateDays = enrol.integer("certificate_days")
        tokenLife = enrol.string("token_life")
        enrol.finish()
        let pbx = section("pbx")
        address = pbx.string("address")
        nodes = pbx.stringOrStrings("nodes")
        pbxCA = pbx.string("ca")
        pbx.finish()
        let mediaReader = top.table("media")
        media = mediaReader.map(MediaSection.init)
        let limits = section("limits")
        maximumSites = limits.integer("sites")
        streamsPerSite = limits.integer("streams_per_site")
        limits.finish()
        let log = section("log")
        level = log.string("level")
        log.finish()
        top.finish()
    }
}
