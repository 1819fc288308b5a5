import EdgeProxy
import SiteFile

/// What of a new site file can be taken over while the edge runs.
enum SiteChanges {
    /// Names of the settings that differ and are read at start only.
    static func needingRestart(from old: Site, to new: Site) -> [String] {
        var names: [String] = []
        func compare<Value: Equatable>(_ name: String, _ value: KeyPath<Site, Value>) {
            if old[keyPath: value] != new[keyPath: value] { names.append(name) }
        }
        compare("listen.sip", \.configuration.listeners)
        compare("listen.media", \.media)
        compare("media.end_after_silence", \.configuration.endAfterSilence)
        compare("media.io_uring", \.usesRing)
        // What the files hold is read again; whether there are any is settled at start.
        if (old.serverTLS == nil) != (new.serverTLS == nil) { names.append("listen.certificate") }
        compare("pbx.servers", \.pbx)
        compare("pbx TLS files", \.trunkTLS)
        compare("the database", \.storePath)
        compare("the control socket", \.controlPath)
        compare("the prompts' folder", \.promptsPath)
        compare("capture", \.capture)
        compare("the traffic classes", \.dscp)
        compare("the log level", \.logLevel)
        compare("listen.http and its token", \.web)
        if (old.delivery == nil) != (new.delivery == nil) { names.append("provisioning.networks") }
        return names
    }

    /// The new configuration on the sockets that are there.
    static func applicable(_ new: EdgeConfiguration, on running: EdgeConfiguration) -> EdgeConfiguration {
        var configuration = new
        configuration.listeners = running.listeners
        configuration.mediaAddresses = running.mediaAddresses
        configuration.endAfterSilence = running.endAfterSilence
        configuration.pbx.nodeCount = running.pbx.nodeCount
        return configuration
    }
}
