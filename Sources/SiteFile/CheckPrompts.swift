import Media

/// `[prompts]` and the languages spoken.
extension SiteChecker {
    func promptsPath(_ extensions: [ExtensionSection]) -> String {
        let directory = shape.prompts.directory.map { resolve($0.value) } ?? Site.packagedPrompts
        var folders: [String] = []
        if case .folder(let names) = content(of: directory) {
            folders = names
        } else if let own = shape.prompts.directory {
            problems.error(own.path, "there is no folder \(directory)", "correct the path, or take the key out to use the packaged recordings")
        }
        let site = shape.site.language ?? Placed(value: "en", path: shape.site.path.key("language"))
        var seen: Set<String> = []
        for language in [site] + extensions.compactMap(\.language) where seen.insert(language.value).inserted {
            check(language, folders: folders, directory: directory)
        }
        return directory
    }

    private func check(_ text: Placed<String>, folders: [String], directory: String) {
        if !text.value.isEmpty, folders.contains(where: { $0 == text.value || $0.hasPrefix(text.value + "_") }) { return }
        guard let language = PromptLanguage(tag: text.value) else {
            let known = PromptLanguage.allCases.map(\.rawValue).joined(separator: ", ")
            problems.error(
                text.path, "there are no prompts in \"\(text.value)\"",
                "choose one of \(known), or name a folder in [prompts] that has recordings in \"\(text.value)\"")
            return
        }
        guard !folders.contains(language.folder), shape.prompts.directory == nil || !folders.isEmpty else { return }
        problems.warning(
            text.path, "the recordings of \"\(text.value)\" are not in \(directory): logging in would be silent",
            "install \(language.package), or name a folder in [prompts]")
    }
}
