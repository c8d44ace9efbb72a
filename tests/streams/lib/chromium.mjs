// The builds for browsers, in one.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'

/** Runs the checks of a bundle in a page. What they need of the world they ask this process for. */
export async function pageInChromium({ file, features, env, options }) {
  const script = readFileSync(file)
  const pages = createServer((request, response) => {
    const isScript = request.url === '/checks.mjs'
    response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' })
    response.end(isScript ? script : '<!doctype html><meta charset="utf-8"><title>checks</title><body></body>')
  })
  await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve))
  const browser = await chromium.launch({ executablePath: options.chromium, args: ['--no-sandbox'] })
  const page = await browser.newPage()
  page.on('pageerror', (error) => env.threw(error))

  const proxies = []
  const outside = {
    http: env.http,
    restart: env.restart,
    report: env.report,
    takeErrors: env.takeErrors,
    async proxy() {
      const proxy = await env.proxy()
      return { url: proxy.url, number: proxies.push(proxy) - 1 }
    },
    setOffline: (offline) => page.context().setOffline(offline),
    proxyDoes: (number, what) => proxies[number][what](),
  }
  await page.exposeFunction('askOutside', (name, given) => outside[name](...given))
  await page.goto(`http://127.0.0.1:${pages.address().port}/`)
  const world = { url: env.url, only: env.only, restarts: env.restarts, hello: env.hello }
  await page.evaluate(inPage, { features, world })
  await browser.close()
  pages.close()
}

/** Runs in the page. */
async function inPage({ features, world }) {
  const ask = (name, ...given) => globalThis.askOutside(name, given)
  const names = ['http', 'restart', 'report', 'takeErrors', 'setOffline']
  const forwarded = names.map((name) => [name, (...given) => ask(name, ...given)])
  const proxy = async () => {
    const { url, number } = await ask('proxy')
    const does = (what) => () => ask('proxyDoes', number, what)
    return { url, cut: does('cut'), stall: does('stall'), received: does('received'), close: does('close') }
  }
  const script = '/checks.mjs'
  const { start } = await import(script)
  await start({ features, env: { ...world, ...Object.fromEntries(forwarded), proxy } })
}
