module.exports = (text) => `(${text})`
