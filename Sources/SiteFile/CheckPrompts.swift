import Media

/// `[prompts]` and the languages spoken. Recordings lie in the site's own folder, in one folder per language or
/// without, or in the folder of the distribution's packages.
extension SiteChecker {
    func promptsPath(_ extensions: [ExtensionSection]) -> String {
        let directory = shape.prompts.directory.map { resolve($0.value) }
        var own: [String] = []
        if let directory, let path = shape.prompts.directory?.path {
            if case .folder(let names) = content(of: directory) {
                own = names
            } else {
                problems.error(path, "there is no folder \(directory)", "correct the path, or take the key out to use the packaged recordings")
            }
        }
        var packaged: [String] = []
        if case .folder(let names) = content(of: Site.packagedPrompts) { packaged = names }
        let site = shape.site.language ?? Placed(value: "en", path: shape.site.path.key("language"))
        var seen: Set<String> = []
        for language in [site] + extensions.compactMap(\.language) where seen.insert(language.value).inserted {
            check(language, own: own, packaged: packaged)
        }
        return directory ?? Site.packagedPrompts
    }

    private func check(_ text: Placed<String>, own: [String], packaged: [String]) {
        if !text.value.isEmpty, own.contains(text.value) || own.contains(where: { $0.hasSuffix(".wav") }) { return }
        guard let language = PromptLanguage(tag: text.value) else {
            let known = PromptLanguage.allCases.map(\.rawValue).joined(separator: ", ")
            problems.error(
                text.path, "there are no prompts in \"\(text.value)\"",
                "choose one of \(known), or name a folder in [prompts] that has a folder \"\(text.value)\"")
            return
        }
        if packaged.contains(language.folder) || packaged.contains(text.value) { return }
        problems.warning(
            text.path, "the recordings of \"\(text.value)\" are not on this machine: who logs in will hear English or tones",
            "install \(language.package), or name a folder in [prompts]")
    }
}
