export default (text: string): string => text.toUpperCase()
