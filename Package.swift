// swift-tools-version: 6.1
import PackageDescription

/// Every target builds in Swift 6 mode with imports internal by default and member imports visible,
/// so that an arrow between modules exists only where this file draws it.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// What nothing uses is left out of the program, and its addresses are kept in short: a small device has little memory.
let small: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-use-ld=lld", "-Xlinker", "--gc-sections", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs", "-Xlinker", "--as-needed",
            "-Xlinker", "--no-export-dynamic",
        ],
        .when(configuration: .release)),
]

let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "branch-edge",
    products: [
        .executable(name: "edgeproxy", targets: ["EdgeProxyCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/LebJe/TOMLKit.git", from: "0.6.0"),
    ],
    targets: [
        // System libraries.
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CPcap", pkgConfig: "libpcap", providers: [.apt(["libpcap-dev"])]),
        .systemLibrary(name: "CSRTP", pkgConfig: "libsrtp2", providers: [.apt(["libsrtp2-dev"])]),
        .systemLibrary(name: "CURing", pkgConfig: "liburing", providers: [.apt(["liburing-dev"])]),
        .systemLibrary(name: "CSpanDSP", pkgConfig: "spandsp", providers: [.apt(["libspandsp-dev"])]),
        .systemLibrary(name: "CTCMalloc", pkgConfig: "libtcmalloc_minimal", providers: [.apt(["libgoogle-perftools-dev"])]),

        // Cores: values in, actions out; no sockets, files, clocks, random numbers or Foundation.
        .target(name: "CoreTypes", swiftSettings: strict),
        .target(name: "CryptoPrimitives", dependencies: ["COpenSSL"], swiftSettings: strict),
        .target(name: "SIPMessage", dependencies: ["CoreTypes", "CryptoPrimitives"], swiftSettings: strict),
        .target(name: "SIPTransaction", dependencies: ["CoreTypes", "SIPMessage"], swiftSettings: strict),
        .target(name: "HotDeskPolicy", dependencies: ["CoreTypes", "SIPMessage"], swiftSettings: strict),
        .target(name: "Media", dependencies: ["CoreTypes", "CSRTP", "CSpanDSP"], swiftSettings: strict),
        .target(name: "PhoneDelivery", dependencies: ["CoreTypes", "CryptoPrimitives", "HotDeskPolicy", "SIPMessage"], swiftSettings: strict),
        .target(name: "Tunnel", dependencies: ["CoreTypes", "CryptoPrimitives", "COpenSSL"], swiftSettings: strict),
        .target(
            name: "Provisioning", dependencies: ["CoreTypes", "CryptoPrimitives", "HotDeskPolicy", "SIPMessage"], swiftSettings: strict),
        .target(
            name: "EdgeProxy",
            dependencies: ["CoreTypes", "CryptoPrimitives", "SIPMessage", "SIPTransaction", "HotDeskPolicy", "Media"],
            swiftSettings: strict),

        // Shells: perform what the cores decide.
        .target(name: "MediaRelay", dependencies: ["CoreTypes", "CURing", "Media"], swiftSettings: strict),
        .target(name: "Capture", dependencies: ["CoreTypes", "CPcap"], swiftSettings: strict),
        .target(
            name: "SiteFile",
            dependencies: [
                "CoreTypes", "CryptoPrimitives", "HotDeskPolicy", "EdgeProxy", "SIPMessage", "Media", "Provisioning", "PhoneDelivery",
                .product(name: "TOMLKit", package: "TOMLKit"),
            ],
            swiftSettings: strict),
        .target(
            name: "Replay",
            dependencies: ["CoreTypes", "CryptoPrimitives", "SIPMessage", "HotDeskPolicy", "EdgeProxy", "Media", "Capture"],
            swiftSettings: strict),
        .target(
            name: "EdgeRuntime",
            dependencies: [
                "CoreTypes", "CryptoPrimitives", "SIPMessage", "SIPTransaction", "HotDeskPolicy", "EdgeProxy", "Tunnel",
                "Media", "MediaRelay", "Capture", "SiteFile", "Provisioning", "PhoneDelivery", "CTCMalloc", nio, nioPosix, nioHTTP, logging,
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "EdgeProxyCommand",
            dependencies: [
                "CoreTypes", "Tunnel", "CryptoPrimitives", "SIPMessage", "HotDeskPolicy", "EdgeProxy", "EdgeRuntime", "SiteFile", "Capture", "Replay",
                "Provisioning", logging, .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict, linkerSettings: small),

        // What is fed with arbitrary bytes: by the tests that replay the corpora, and by libFuzzer.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "CoreTypes", "CryptoPrimitives", "SIPMessage", "HotDeskPolicy", "Media", "EdgeProxy", "Tunnel", "Provisioning", "PhoneDelivery",
            ],
            path: "Fuzzing/Targets", swiftSettings: strict),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets", "CryptoPrimitives"], swiftSettings: strict),

        .testTarget(name: "SIPMessageTests", dependencies: ["SIPMessage", "CoreTypes", "CryptoPrimitives"], swiftSettings: strict),
        .testTarget(name: "SIPTransactionTests", dependencies: ["SIPTransaction", "SIPMessage", "CoreTypes"], swiftSettings: strict),
        .testTarget(name: "HotDeskPolicyTests", dependencies: ["HotDeskPolicy", "SIPMessage", "CoreTypes"], swiftSettings: strict),
        .testTarget(
            name: "ProvisioningTests", dependencies: ["Provisioning", "SiteFile", "HotDeskPolicy", "SIPMessage", "CoreTypes"], exclude: ["Golden"],
            swiftSettings: strict),
        .testTarget(
            name: "PhoneDeliveryTests", dependencies: ["PhoneDelivery", "HotDeskPolicy", "SIPMessage", "CoreTypes", "CryptoPrimitives"], swiftSettings: strict),
        .testTarget(name: "TunnelTests", dependencies: ["Tunnel", "CryptoPrimitives", "CoreTypes"], swiftSettings: strict),
        .testTarget(name: "MediaTests", dependencies: ["Media", "MediaRelay", "CoreTypes"], swiftSettings: strict),
        .testTarget(
            name: "EdgeProxyTests",
            dependencies: ["EdgeProxy", "SIPMessage", "SIPTransaction", "HotDeskPolicy", "Media", "CoreTypes", "CryptoPrimitives"],
            swiftSettings: strict),
        .testTarget(name: "CaptureTests", dependencies: ["Capture", "CoreTypes"], swiftSettings: strict),
        .testTarget(
            name: "ReplayTests",
            dependencies: ["Replay", "Capture", "SiteFile", "EdgeProxy", "HotDeskPolicy", "SIPMessage", "Media", "CoreTypes"],
            swiftSettings: strict),
        .testTarget(
            name: "SiteFileTests",
            dependencies: ["SiteFile", "Provisioning", "PhoneDelivery", "SIPMessage", "EdgeProxy", "HotDeskPolicy", "CryptoPrimitives", "CoreTypes", "Media"],
            swiftSettings: strict),
        .testTarget(
            name: "EdgeRuntimeTests",
            dependencies: [
                "EdgeRuntime", "EdgeProxy", "SIPMessage", "SIPTransaction", "HotDeskPolicy", "SiteFile", "Capture", "Media", "CoreTypes",
                "CryptoPrimitives", "Tunnel", "MediaRelay", "Provisioning", "PhoneDelivery", logging, nio, nioEmbedded, nioPosix,
            ],
            swiftSettings: strict),
    ]
)

// libFuzzer brings its own `main`, so its program exists only where it was asked for (tools/fuzz.sh).
if Context.environment["FUZZING"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: ["FuzzTargets"], path: "Fuzzing/Driver",
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
}
