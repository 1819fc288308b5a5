/// Yealink's `key = value` lines. A value can neither end its line nor begin another.
struct INIText {
    private(set) var text: String

    /// The first line must stand as it is, or the phone takes nothing of the file.
    init() { text = "#!version:1.0.0.1\n" }

    mutating func comment(_ words: String) { text += "## \(DisplayText.value(words))\n" }

    mutating func set(_ name: SettingName, _ value: String) {
        let value = DisplayText.value(value)
        text += value.isEmpty ? "\(name.text) =\n" : "\(name.text) = \(value)\n"
    }

    /// Of a `.boot` file.
    mutating func include(_ file: String) { text += "include:config \"\(DisplayText.value(file))\"\n" }

    mutating func set(_ name: SettingName, _ number: Int) { set(name, String(number)) }
    mutating func set(_ name: SettingName, _ isOn: Bool) { set(name, isOn ? "1" : "0") }
}
