/// `[provisioning]`: what phones are told, and where they fetch it.
struct ProvisioningSection {
    var path: KeyPath
    var catalogue, url, pickupCode, timeServer, utcOffset, adminPasswordFile, poll: Placed<String>?
    var delivery: DeliverySection

    init(_ reader: TableReader) {
        path = reader.path
        catalogue = reader.string("catalogue")
        url = reader.string("url")
        pickupCode = reader.string("pickup_code")
        timeServer = reader.string("time_server")
        utcOffset = reader.string("utc_offset")
        adminPasswordFile = reader.string("admin_password_file")
        poll = reader.string("poll")
        delivery = DeliverySection(reader)
    }
}
