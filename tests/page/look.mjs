/* look.mjs - languages, themes, small windows, keys alone, and what axe-core says of each. */
import path from "node:path";

import { accessible, check, fill, fits, part, same, until, visit } from "./checks.mjs";
import { ROOT } from "./world.mjs";

const brightness = (page, selector = "body") => page.$eval(selector, el => {
  const [r, g, b] = getComputedStyle(el).backgroundColor.match(/[\d.]+/g).map(Number);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
});

part("form", "themes", async world => {
  const page = await visit(world, { colorScheme: "light" });
  check("light", await brightness(page) > 200);
  await fill(page, { prompt: "0-2s: slow push in on the cup. Cut to a pan left, light snow" });
  await page.waitForSelector(".shot:nth-child(2)");
  await page.click("summary");
  await accessible(page, "light");
  await page.emulateMedia({ colorScheme: "dark" });
  await until("dark by the system", async () => await brightness(page) < 60);
  await accessible(page, "dark");
  await page.click("#theme");
  await until("light by the switch", async () => await brightness(page) > 200);
  await page.reload();
  await page.waitForSelector("html[data-ready]");
  check("the switch is remembered", await brightness(page) > 200);
});

part("form", "languages", async world => {
  const page = await visit(world, { locale: "zh-CN", key: false });
  same("by the browser", await page.textContent("h1"), "新视频");
  same("and says so", await page.getAttribute("html", "lang"), "zh-CN");
  await accessible(page, "Chinese");
  await page.click("#language");
  same("by the switch", await page.textContent("h1"), "New video");
  await page.reload();
  await page.waitForSelector("html[data-ready]");
  same("the switch is remembered", await page.textContent("h1"), "New video");
  const table = await page.evaluate(async () => (await import("/page/strings.js")).rows());
  const holes = text => (text.match(/\{\d\}/g) ?? []).sort().join();
  for (const [name, texts] of table)
    check(`text ${name}`, texts.length === 2 && texts.every(Boolean) && holes(texts[0]) === holes(texts[1]) && /[\u4e00-\u9fff]/.test(texts[1]), JSON.stringify(texts));
  const names = new Set(table.map(([name]) => name));
  same("every text of the document is in the table", await page.$$eval("[data-t], [data-t-label], [data-t-placeholder]", list =>
    list.flatMap(el => [el.dataset.t, el.dataset.tLabel, el.dataset.tPlaceholder])).then(all => all.filter(name => name && !names.has(name))), []);
});

part("form", "small windows", async world => {
  for (const [width, locale] of [[320, "en-GB"], [320, "zh-CN"], [390, "en-GB"], [768, "en-GB"]]) {
    const page = await visit(world, { viewport: { width, height: 700 }, locale, key: false });
    same(`${width} ${locale} without a key`, await fits(page), "");
    await page.evaluate(key => { location.hash = `key=${key}`; }, world.server.key);
    await page.waitForSelector("#key-panel", { state: "hidden" });
    await fill(page, { prompt: "0-2s: slow dolly zoom in on the raccoon. Cut to a pan left then tilt up, heavy snow, seamless loop" });
    await page.waitForSelector(".shot:nth-child(2)");
    await page.click("summary");
    same(`${width} ${locale} with a request`, await fits(page), "");
    if (width === 320 && locale === "en-GB") await accessible(page, "phone");
  }
});

/* The name of what has the focus, and whether one can see that it has. */
const focus = page => page.evaluate(() => {
  const el = document.activeElement;
  const seen = el.matches("input[type=radio]") ? el.nextElementSibling : el;
  const style = getComputedStyle(seen);
  return { id: el.id || el.className || el.name || el.tagName, visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none" };
});

async function tabTo(page, wanted, most = 40) {
  for (let i = 0; i < most; i++) {
    await page.keyboard.press("Tab");
    const now = await focus(page);
    if (now.id !== "BODY") check(`the focus on ${now.id} is seen`, now.visible); /* BODY: past the last */
    if (await page.evaluate(selector => document.activeElement.matches(selector), wanted)) return;
  }
  throw new Error(`Tab does not lead to ${wanted}`);
}

part("task", "keys alone", async world => {
  const page = await visit(world, { key: false });
  await tabTo(page, "#key");
  await page.keyboard.type(world.server.key);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#key-panel", { state: "hidden" });
  const choosing = page.waitForEvent("filechooser");
  await tabTo(page, "#slot-image .slot-button");
  await page.keyboard.press("Enter");
  await (await choosing).setFiles(path.join(ROOT, "examples/coffee.jpg"));
  await page.waitForSelector("#slot-image img");
  await tabTo(page, "#prompt");
  await page.keyboard.type("镜头推进, then pan right");
  await tabTo(page, "input[name=resolution]");
  await page.keyboard.press("ArrowRight");
  same("arrows choose", await page.$eval("input[name=resolution]:checked", el => el.value), "1080p");
  await tabTo(page, "#option-duration");
  await page.keyboard.press("End");
  await tabTo(page, "#option-camera_fixed");
  await page.keyboard.press("Space");
  check("a space switches", await page.isChecked("#option-camera_fixed"));
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("#cancel");
  await tabTo(page, "#cancel");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".failure");
  same("cancelled", await page.textContent(".failure-title"), "You cancelled this one");
  same("and said", await page.textContent("#live"), "You cancelled this one. ");
  await tabTo(page, "summary");
  await page.keyboard.press("Enter");
  await tabTo(page, "[role=tab]");
  await page.keyboard.press("ArrowRight");
  same("arrows move along the tabs", await page.textContent("[role=tab][aria-selected=true]"), "Python");
});
