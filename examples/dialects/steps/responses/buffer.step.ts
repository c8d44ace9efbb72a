// Bytes, with a content type of their own.
export const config = { type: 'api', name: 'BufferBody', path: '/responses/buffer', method: 'GET', emits: [] }

export const handler = async () => ({
  status: 200,
  headers: { 'content-type': 'image/png' },
  body: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0xff]),
})
