export default (text: string
