// CommonJS without any mark of it but this line.
exports.double = (n) => n * 2
