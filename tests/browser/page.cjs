// Uses the live page as an operator would, on a running example: numbers change, a batch and a stage open, the graph is
// that of `explain`, checkpoints and a recovery are told, and it can be read in light and dark and on a phone.
// Arguments: the example's program, a folder for the browser's profiles, a folder for screenshots.
"use strict";

const assert = require("node:assert");
const { execFileSync, spawn } = require("node:child_process");
const { createInterface } = require("node:readline");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [example, profiles, artifacts] = process.argv.slice(2);
/** Where the example keeps its checkpoints. */
const checkpoints = path.join(profiles, "checkpoints");
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const DESK = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

/** Starts the example and waits until it says where its page is. */
async function startExample(batches, ...options) {
  const program = spawn(example, ["--ui", "127.0.0.1:0", "--batches", String(batches), ...options], { stdio: ["ignore", "ignore", "pipe"] });
  for await (const line of createInterface({ input: program.stderr })) {
    const found = line.match(/http:\S+/);
    if (found) return { program, address: found[0] };
  }
  throw new Error("the example did not say where its page is");
}

async function open(name, { viewport, colorScheme = "light", scale = 1.5, address }) {
  const context = await chromium.launchPersistentContext(path.join(profiles, name),
    { executablePath: "/usr/bin/chromium", args: FLAGS, viewport, colorScheme, deviceScaleFactor: scale });
  const page = context.pages()[0];
  const complaints = [];
  page.on("pageerror", error => complaints.push(String(error)));
  page.on("console", message => { if (message.type() === "error") complaints.push(message.text()); });
  await page.goto(address);
  await page.waitForSelector("#completed tbody tr.batch");
  return { context, page, complaints };
}

const shot = (page, name, fullPage = true) => page.screenshot({ path: path.join(artifacts, `page-${name}.png`), fullPage });

async function useIt(address) {
  const { context, page, complaints } = await open("light", { viewport: DESK, address });
  assert.equal(await page.textContent("#name"), "web shop");

  // Numbers change.
  const batches = () => page.$eval("#meta", meta => Number(meta.textContent.match(/([\d,]+) batches/)[1].replace(",", "")));
  const before = await batches();
  await page.waitForFunction(seen => Number(document.querySelector("#meta").textContent.match(/([\d,]+) batches/)[1].replace(",", "")) >= seen, before + 8);
  await page.waitForFunction(() => document.querySelectorAll(".chart .line").length === 4);

  // The graph is that of `explain`.
  const dot = execFileSync(example, ["--explain"], { encoding: "utf8" });
  const declared = [...dot.matchAll(/^ {2}(\w+) \[shape=/gm)].map(match => match[1]).filter(id => id !== "node").sort();
  const drawn = await page.$$eval(".vertex", vertices => vertices.map(vertex => vertex.id.replace("vertex-", "")).sort());
  assert.deepEqual(drawn, declared);
  const edges = await page.$$eval("#graph .edge", edges => edges.length);
  assert.equal(edges, [...dot.matchAll(/ -> /g)].length);
  const shares = await page.$$eval(".vertex", vertices => vertices.map(vertex => Number(vertex.dataset.share)));
  assert(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 0.05, `shares add up to one: ${shares}`);

  // A stage opens, by the mouse and by the keyboard.
  await page.click("#vertex-s0");
  assert.match(await page.textContent("#vertex"), /stage 0.*filter.*Records read.*Longest task/s);
  await page.focus("#vertex-s1");
  await page.keyboard.press("Enter");
  assert.match(await page.textContent("#vertex h3"), /stage 1/);

  // A batch opens and closes.
  const row = page.locator("#completed tr.batch").first();
  const time = await row.getAttribute("data-time");
  const button = page.locator(`#completed tr[data-time="${time}"] button`);
  await button.click();
  const detail = page.locator("#completed tr.detail");
  await detail.waitFor();
  assert.match(await detail.textContent(), /visits: .*Outputs.*Stages and tasks.*stage 0/s);
  assert(await detail.locator("svg.tasks rect").count() >= 4, "there is a bar for each task");
  await page.waitForTimeout(500);
  await shot(page, "light");
  await button.click();
  await detail.waitFor({ state: "detached" });

  // A timeline opens the batch that is pointed at.
  const chart = page.locator(".chart svg").first();
  await chart.scrollIntoViewIfNeeded();
  await chart.hover({ position: { x: 200, y: 60 } });
  assert.match(await page.textContent(".chart .reading"), /\d\d:\d\d:\d\d/);
  await chart.click({ position: { x: 200, y: 60 } });
  await page.waitForSelector("#completed tr.detail");
  await page.click("[data-span='60']");
  assert.equal(await page.getAttribute("[data-span='60']", "aria-pressed"), "true");
  assert.deepEqual(complaints, []);
  return { context, page };
}

/** Checkpoints and the log of batches are shown with their figures. */
async function showsCheckpoints({ page }) {
  await page.waitForFunction(() => document.querySelector("#checkpoints").textContent.includes("Kept"), null, { timeout: 60000 });
  assert.match(await page.textContent("#checkpoints"), /Last checkpoint\d\d:\d\d:\d\d.*Age\d.*Written[\d.]+ [KM]?i?B.*Checkpoints\d/s);
  assert.match(await page.textContent("#logs tbody"), /^batches\d/);
}

async function looks(address) {
  const dark = await open("dark", { viewport: DESK, colorScheme: "dark", address });
  await dark.page.click("#vertex-s0");
  await dark.page.waitForTimeout(2500);
  await shot(dark.page, "dark");
  await dark.context.close();
  const phone = await open("phone", { viewport: PHONE, address });
  const wide = await phone.page.evaluate(() => document.documentElement.scrollWidth);
  assert(wide <= PHONE.width, `the page is ${wide} px wide on a phone of ${PHONE.width}`);
  await phone.page.waitForTimeout(1500);
  await shot(phone.page, "phone");
  await phone.context.close();
  // What the README shows.
  const top = await open("top", { viewport: { width: 1240, height: 980 }, scale: 1, address });
  await top.page.click("#vertex-s0");
  await top.page.waitForFunction(() => state.completed.length >= 120, null, { timeout: 60000 });
  await shot(top.page, "top", false);
  await top.context.close();
}

/** A program that is started again says from where it goes on. */
async function recovers() {
  const { program, address } = await startExample(0, "--checkpoint", checkpoints);
  const { context, page, complaints } = await open("recovered", { viewport: DESK, address });
  try {
    await page.waitForFunction(() => document.querySelector("#recovered").textContent !== "");
    assert.match(await page.textContent("#recovered"), /^recovered from the checkpoint of \d\d:\d\d:\d\d.*batch(es)? ran again/);
    assert.deepEqual(complaints, []);
    await shot(page, "recovered");
  } finally {
    await context.close();
    program.kill("SIGKILL");
  }
}

/** What comes from the program is shown as it is, and does nothing. */
async function staysText() {
  const hostile = "</span><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'> \u001b[31m \u202e";
  const { program, address } = await startExample(5000, "--fail", hostile);
  const { context, page, complaints } = await open("hostile", { viewport: DESK, address });
  try {
    await page.waitForSelector("#errors .error-text", { timeout: 60000 });
    const text = await page.textContent("#errors .error-text");
    assert(text.includes("<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'> \\x1b[31m \\u202e"), text);
    await page.click("#completed tr.batch:has(.status-failed)");
    await page.waitForSelector("#completed tr.detail .error-text");
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    assert.equal(await page.locator("main img, main script").count(), 0);
    assert.deepEqual(complaints, []);
    await shot(page, "errors");
  } finally {
    await context.close();
    program.kill("SIGKILL");
  }
}

async function main() {
  const { program, address } = await startExample(0, "--slow", "--checkpoint", checkpoints);
  try {
    const light = await useIt(address);
    await showsCheckpoints(light);
    await looks(address);
    // When the program ends, the page says so and keeps what it shows.
    program.kill("SIGTERM");
    await light.page.waitForSelector("#health.bad:has-text('stopped')");
    assert(await light.page.locator("#completed tr.batch").count() > 10);
    await light.context.close();
    await recovers();
    await staysText();
  } finally {
    program.kill("SIGKILL");
  }
  console.log("the page works in Chromium; screenshots are in", artifacts);
}

main().catch(error => { console.error(error); process.exit(1); });
