import Glibc

/// Waits for the signals that steer a running edge, on a thread of its own.
struct SignalWatch {
    enum Request {
        case reload
        case stop
    }

    private final class Handler {
        let signals: sigset_t
        let perform: (Request) -> Void

        init(signals: sigset_t, perform: @escaping (Request) -> Void) {
            self.signals = signals
            self.perform = perform
        }

        /// Never returns: it ends with the process.
        func loop() {
            var signals = signals
            while true {
                var number: CInt = 0
                guard sigwait(&signals, &number) == 0 else { continue }
                perform(number == SIGHUP ? .reload : .stop)
            }
        }
    }

    private let signals: sigset_t

    /// Blocks the signals in the calling thread and every thread it starts from now on; until `watch`, they wait.
    init() {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signals = set
    }

    /// `perform` is called on another thread, one request after the other.
    func watch(_ perform: @escaping @Sendable (Request) -> Void) {
        let handler = Unmanaged.passRetained(Handler(signals: signals, perform: perform))
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Handler>.fromOpaque(argument).takeUnretainedValue().loop() }
                return nil
            }, handler.toOpaque())
        pthread_detach(thread)
    }
}
