import Glibc
import Media

/// Why a recording cannot be spoken.
enum RecordingProblem: Error, Hashable {
    case notFound
    case unreadable(path: String, String)
    case unusable(path: String, WaveProblem)

    var reason: String {
        switch self {
        case .notFound: return "no such file in any folder"
        case .unreadable(let path, let text): return "\(path): \(text)"
        case .unusable(let path, let problem): return "\(path): \(problem)"
        }
    }
}

enum RecordingFile {
    /// Over four minutes; no prompt is as long.
    private static let maximumSize = 4 << 20

    /// The samples of the first of these files that exists.
    static func samples(_ places: [String]) throws(RecordingProblem) -> [Int16] {
        for path in places {
            guard let file = try read(path) else { continue }
            return try samples(of: file, path)
        }
        throw .notFound
    }

    private static func samples(of file: [UInt8], _ path: String) throws(RecordingProblem) -> [Int16] {
        do throws(WaveProblem) {
            return try WaveFile.samples(of: file)
        } catch {
            throw .unusable(path: path, error)
        }
    }

    /// A recording as it goes onto the wire: of G.722 as it was recorded, where there is such a file, else made of the wave
    /// file.
    ///
    /// - Parameter places: without their endings, best first.
    static func encoded(_ places: [String], as format: AudioFormat) throws(RecordingProblem) -> [UInt8] {
        guard format == .g722 else { return format.encode(try samples(places.map { $0 + ".wav" })) }
        for place in places {
            if let file = try read(place + ".g722"), !file.isEmpty { return file }
            if let file = try read(place + ".wav") { return format.encode(try samples(of: file, place + ".wav")) }
        }
        throw .notFound
    }

    /// The bytes of a file; nil where there is none.
    private static func read(_ path: String) throws(RecordingProblem) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .unreadable(path: path, SocketError(number: errno).text)
        }
        defer { _ = close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .unreadable(path: path, "not a regular file")
        }
        guard Int(status.st_size) <= maximumSize else { throw .unreadable(path: path, "longer than \(maximumSize) bytes") }
        let size = Int(status.st_size)
        var bytes = [UInt8](repeating: 0, count: size)
        var length = 0
        while length < size {
            let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress?.advanced(by: length), size - length) }
            guard count > 0 else { break }
            length += count
        }
        bytes.removeLast(size - length)
        return bytes
    }
}
