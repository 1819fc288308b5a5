import FuzzTargets
import Glibc

/// `FUZZ_TARGET` names the target.
private let target: FuzzTarget = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    if let target = FuzzTarget.named(name) { return target }
    complain("FUZZ_TARGET must be one of: \(FuzzTarget.all.map(\.name).joined(separator: " "))")
    exit(64)
}()

public typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// libFuzzer asks this before it reads its arguments: the target says how long an input is of use.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<Arguments>) -> CInt {
    let given = Int(count.pointee)
    let longer = Arguments.allocate(capacity: given + 2)
    for index in 0..<given { longer[index] = arguments.pointee[index] }
    longer[given] = strdup("-max_len=\(target.maximumLength)")
    longer[given + 1] = nil
    arguments.pointee = longer
    count.pointee += 1
    return 0
}

/// libFuzzer calls this with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    if let problem = target.run(Array(UnsafeBufferPointer(start: start, count: count))) {
        complain("\(target.name): \(problem)")
        abort()
    }
    return 0
}

private func complain(_ text: String) {
    let line = Array("\(text)\n".utf8)
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
