// The example `realtime-todo` in a browser: two pages of one list, and an engine that is killed meanwhile.
//
//   node realtime-todo.mjs BINARY FOLDER CHROMIUM [SCREENSHOTS]
//
// FOLDER is the example, installed and built. Prints what holds, line by line; ends with 1 at the first thing that does not.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { chromium } from 'playwright-core'
import { freePort } from './lib/serve.mjs'

const [binary, folder, executablePath, screenshots] = process.argv.slice(2)
const port = await freePort()
const address = `http://localhost:${port}`

async function start() {
  const engine = spawn(binary, ['start', '--port', String(port)], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  for (let tries = 0; tries < 500 && engine.exitCode === null; tries += 1) {
    const answer = await fetch(`${address}/readyz`).catch(() => undefined)
    if (answer?.ok) return engine
    await setTimeout(20)
  }
  throw new Error('the engine does not serve')
}

async function stop(engine, signal) {
  const ended = once(engine, 'exit')
  engine.kill(signal)
  await ended
}

const holds = (what) => console.log(what)
const expect = (what, is, should) => {
  if (JSON.stringify(is) !== JSON.stringify(should)) throw new Error(`${what}: ${JSON.stringify(is)}`)
  holds(what)
}

const complaints = []
let engine = await start()
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
try {
  const [one, two] = await Promise.all(['light', 'dark'].map(open))
  const titles = (page) => page.locator('main > ul li span').allTextContents()
  const add = async (page, title) => {
    await page.getByLabel('What is to be done?').fill(title)
    await page.keyboard.press('Enter')
  }

  for (const page of [one, two]) await page.locator('.people li').nth(1).waitFor()
  holds('each page shows that both are there')

  await add(one, 'Water the plants')
  await two.getByText('Water the plants').waitFor()
  await add(two, 'Call <b>Ada</b>')
  await one.getByText('Call <b>Ada</b>').waitFor()
  for (const page of [one, two])
    expect('both have both, in order', await titles(page), ['Water the plants', 'Call <b>Ada</b>'])

  await two.getByLabel('Water the plants', { exact: true }).click()
  await one.locator('li[data-done=true]', { hasText: 'Water the plants' }).waitFor()
  await one.getByText('1 left to do').waitFor()
  holds('what one does, the other sees')

  await stop(engine, 'SIGKILL')
  for (const page of [one, two]) await page.getByText('reconnecting').waitFor()
  await add(one, 'Lost')
  await one.getByRole('alert').waitFor()
  holds('a killed engine is said, and so is what did not work')
  expect('what could not be added is still there', await one.getByLabel('What is to be done?').inputValue(), 'Lost')
  engine = await start()
  const body = JSON.stringify({ title: 'While you were away' })
  const headers = { 'content-type': 'application/json' }
  await fetch(`${address}/lists/home/todos`, { method: 'POST', headers, body })
  for (const page of [one, two]) {
    await page.getByText('live', { exact: true }).waitFor()
    await page.getByText('While you were away').waitFor()
    expect('nothing is missing after that, and nothing is there twice', await titles(page), [
      'Water the plants',
      'Call <b>Ada</b>',
      'While you were away',
    ])
    await page.locator('.people li').nth(1).waitFor()
  }
  await one.getByRole('alert').waitFor({ state: 'detached' })
  holds('the problem is over, and is said no more')

  await two.getByLabel('Remove Call <b>Ada</b>').click()
  await one.getByText('Call <b>Ada</b>').waitFor({ state: 'detached' })
  holds('what is removed goes everywhere')
  if (screenshots)
    for (const [n, page] of [one, two].entries()) await page.screenshot({ path: join(screenshots, `${n + 1}.png`) })
  await two.close()
  await one.locator('.people li').nth(1).waitFor({ state: 'detached' })
  holds('who closes the page is gone')
  expect('no page complains', complaints, [])
} finally {
  await browser.close()
  await stop(engine, 'SIGTERM')
}

async function open(colorScheme) {
  const context = await browser.newContext({ colorScheme, viewport: { width: 560, height: 460 } })
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (line) => {
    // Browsers say it of every request and connection that fails, as they do while the engine is gone.
    if (!/ERR_CONNECTION_REFUSED|Failed to load resource|WebSocket connection/.test(line.text()))
      complaints.push(line.text())
  })
  await page.goto(address)
  return page
}
