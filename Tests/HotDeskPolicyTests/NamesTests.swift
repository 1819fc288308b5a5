import HotDeskPolicy
import Testing

@Suite struct NamesTests {
    @Test(arguments: [
        ("HD0001", "HD0001"), ("hd0001", "HD0001"), ("HDA", "HDA"), ("Hd12345678", "HD12345678"), ("HD", nil), ("HD123456789", nil),
        ("HD 01", nil), ("XD0001", nil), ("", nil), ("HD٠١", nil), ("HD0001\n", nil), ("ＨＤ01", nil),
    ] as [(String, String?)])
    func deviceNames(text: String, expected: String?) { #expect(DeviceName(text)?.text == expected) }

    @Test(arguments: [
        ("1", true), ("0100", true), ("1234567890123456", true), ("12345678901234567", false), ("", false), ("10a", false),
        ("٣", false), ("+1", false), ("1 ", false),
    ])
    func extensionNumbers(text: String, isNumber: Bool) { #expect((ExtensionNumber(text) != nil) == isNumber) }

    @Test func extensionsCompareAsNumbers() {
        let sorted = ["100", "99", "1", "5000", "099"].compactMap(ExtensionNumber.init).sorted().map(\.text)
        #expect(sorted == ["1", "99", "099", "100", "5000"])
    }

    @Test(arguments: [
        ("80:5e:c0:aa:bb:01", "80:5e:c0:aa:bb:01"), ("80-5E-C0-AA-BB-01", "80:5e:c0:aa:bb:01"), ("805ec0aabb01", "80:5e:c0:aa:bb:01"),
        ("805e.c0aa.bb01", "80:5e:c0:aa:bb:01"), ("805ec0-aabb01", "80:5e:c0:aa:bb:01"), ("00:00:00:00:00:00", "00:00:00:00:00:00"),
        ("80:5e:c0:aa:bb", nil), ("80:5e:c0:aa:bb:01:02", nil), ("80:5e-c0:aa:bb:01", nil), ("8:05e:c0:aa:bb:01", nil),
        ("80:5e:c0:aa:bb:0", nil), ("80:5e:c0:aa:bb:01:", nil), (":805ec0aabb01", nil), ("80:5g:c0:aa:bb:01", nil), ("", nil),
        ("805e.c0aabb01", nil),
    ] as [(String, String?)])
    func macAddresses(text: String, expected: String?) { #expect(MACAddress(text)?.text == expected) }
}
