package wire

// Parse reads a profile that is not embedded, for tests of the mechanism.
var Parse = parse
