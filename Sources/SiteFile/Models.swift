/// What a phone model can be at a site.
public struct PhoneModel: Sendable, Hashable {
    /// As in a site file: `yealink-t54w`.
    public var name: String
    /// Keys over all pages, the line key among them; the smaller figure where sources differ.
    public var keys: Int
    public var canHotDesk: Bool
    /// Whether the vendor lets the handset carry other phones' calls to the PBX.
    public var canBeRouter: Bool

    /// Whether a logout key fits beside the line key.
    public var hasLogoutKey: Bool { keys >= 2 }
}

/// The models a site file may name.
public enum PhoneModels {
    /// Any SIP phone or softphone without a table of its own: nothing of it can be provisioned.
    public static let generic = PhoneModel(name: "generic-sip", keys: 2, canHotDesk: true, canBeRouter: false)

    public static let all: [PhoneModel] = [generic] + yealink + fanvil + snom + grandstream + poly + cisco

    public static func model(named name: String) -> PhoneModel? { all.first { $0.name == name } }

    private static func family(
        _ vendor: String, _ keys: [String: Int], routers: Set<String> = [], shared: Set<String> = []
    ) -> [PhoneModel] {
        keys.sorted { $0.key < $1.key }.map { model, keys in
            PhoneModel(
                name: "\(vendor)-\(model)", keys: keys, canHotDesk: !shared.contains(model),
                canBeRouter: routers.contains(model))
        }
    }

    /// Conference phones and cordless handsets belong to a room or a pocket, not to a desk.
    private static let yealink = family(
        "yealink",
        [
            "t30": 0, "t30p": 0, "t31": 2, "t31p": 2, "t31g": 2, "t31w": 2, "t33g": 12, "t33p": 12, "t34w": 12,
            "t41s": 15, "t41u": 15, "t42s": 15, "t42u": 15, "t43u": 15, "t44u": 21, "t44w": 21, "t46s": 27, "t46u": 27,
            "t48s": 29, "t48u": 29, "t53": 21, "t53c": 21, "t53w": 21, "t54w": 27, "t57w": 29, "t58": 27, "t58w": 27,
            "t73u": 40, "t73w": 40, "t74u": 50, "t74w": 50, "t77u": 56, "t85w": 60, "t87w": 84, "t88w": 84,
            "cp920": 0, "ax83h": 0, "ax86r": 0,
        ],
        routers: ["t53", "t53c", "t53w", "t54w", "t57w"], shared: ["cp920", "ax83h", "ax86r"])

    private static let fanvil = family(
        "fanvil",
        [
            "x3u": 3, "x3sg": 2, "x301": 0, "x303": 3, "x4": 30, "x4u": 33, "x4u-v2": 33, "x5": 40, "x5u": 34,
            "x5u-v2": 34, "x6": 60, "x6u": 65, "x6u-v2": 65, "x7": 60, "x7-v2": 60, "x7c": 60, "x7c-v2": 60,
            "x210": 106, "x210-v2": 106, "x210i-v2": 106, "v61": 12, "v62": 5, "v63": 21, "v64": 21, "v65": 27,
            "v66": 116, "v67": 116, "w610w": 16, "w611w": 16, "h5": 6,
        ],
        routers: ["v62", "v64", "v65", "x4u-v2", "x5u-v2", "x6u-v2", "x7-v2", "x7c-v2", "x210-v2", "x210i-v2"],
        shared: ["w610w", "w611w", "h5"])

    private static let snom = family(
        "snom",
        [
            "d120": 2, "d140": 2, "d150": 2, "d305": 5, "d315": 5, "d335": 48, "d345": 48, "d375": 12, "d385": 48,
            "d710": 5, "d712": 5, "d713": 4, "d715": 5, "d717": 3, "d725": 18, "d735": 32, "d745": 32, "d765": 16,
            "d785": 24, "d810": 4, "d812": 28, "d815": 36, "d862": 28, "d865": 36, "d892": 36, "sp800": 28,
        ],
        routers: ["d862", "d865"])

    private static let grandstream = family(
        "grandstream",
        [
            "grp2612": 16, "grp2613": 24, "grp2614": 40, "grp2615": 40, "grp2616": 40, "gxp2130": 20, "gxp2135": 32,
            "gxp2140": 16, "gxp2160": 48, "gxp2170": 48,
        ])

    private static let poly = family(
        "poly",
        [
            "vvx101": 2, "vvx150": 2, "vvx201": 2, "vvx250": 4, "vvx301": 6, "vvx311": 6, "vvx350": 6, "vvx401": 12,
            "vvx411": 12, "vvx450": 12, "vvx501": 12, "vvx601": 16, "edge-e100": 16, "edge-e220": 16, "edge-e300": 16,
            "edge-e350": 16, "edge-e400": 16, "edge-e450": 16, "edge-e500": 16, "edge-e550": 16,
        ])

    private static let cisco = family(
        "cisco",
        [
            "6821": 2, "6841": 4, "6851": 4, "6861": 4, "6871": 6, "7811": 1, "7821": 2, "7841": 4, "7861": 16,
            "8811": 10, "8841": 10, "8851": 10, "8861": 10,
        ])
}
