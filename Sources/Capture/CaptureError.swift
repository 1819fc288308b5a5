/// Why a capture cannot be read or written. The words are those of the system or of libpcap.
public enum CaptureError: Error, Equatable, Sendable, CustomStringConvertible {
    case cannotOpen(path: String, reason: String)
    /// It can be opened, but is no capture.
    case notACapture(path: String, reason: String)
    /// A link type that is not understood, by its number.
    case unknownLinkType(Int32)
    /// What was written so far is all there is: the disk is full, or the like.
    case writeFailed(path: String, reason: String)
    /// The file ends early or is damaged; what stands before that was read.
    case damaged(reason: String)
    /// There is more in the file than `ReaderLimits` lets in.
    case tooLarge

    public var description: String {
        switch self {
        case .cannotOpen(let path, let reason): return "cannot open \(path): \(reason)"
        case .notACapture(let path, let reason): return "\(path) is no capture: \(reason)"
        case .unknownLinkType(let type): return "link type \(type) is not understood"
        case .writeFailed(let path, let reason): return "writing \(path) failed, the capture has ended: \(reason)"
        case .damaged(let reason): return "the capture is damaged: \(reason)"
        case .tooLarge: return "the capture is too large"
        }
    }
}
