import ArgumentParser
import EdgeProxy
import EdgeRuntime
import Logging
import SiteFile

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the edge of a site.",
        discussion: "Ends cleanly on SIGTERM and SIGINT. On SIGHUP it reads the site file again; a file with an error changes nothing.")

    @OptionGroup var option: SiteOption

    func run() throws {
        let result = SiteLoader.load(path: option.site)
        for problem in result.problems { Console.complain(problem.description) }
        guard let site = result.site else {
            Console.complain("edgeproxy: \(option.site) has errors; nothing was started")
            throw ExitCode.refused
        }
        ProcessTuning.keepFilesPrivate()
        // Before anything starts a thread: every thread inherits that these signals are waited for in one place.
        let signals = SignalWatch()
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: "edge")
        logger.logLevel = site.logLevel.level
        try serve(site, signals: signals, logger: logger)
    }

    private func serve(_ site: Site, signals: SignalWatch, logger: Logger) throws {
        do {
            let server = try EdgeServer(site: site, sitePath: option.site, logger: logger)
            try server.start()
            signals.watch { signal in
                switch signal {
                case .reload: server.reload()
                case .stop: server.stop()
                }
            }
            server.waitUntilStopped()
        } catch {
            Console.complain("edgeproxy: cannot start: \(error)")
            throw ExitCode.notStarted
        }
    }
}

extension LogLevel {
    fileprivate var level: Logger.Level {
        switch self {
        case .debug: return .debug
        case .info: return .info
        case .notice: return .notice
        case .warning: return .warning
        case .error: return .error
        }
    }
}
