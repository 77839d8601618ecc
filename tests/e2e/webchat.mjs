// The website's chat in a real browser: a shop's page, headless Chromium, and an employee on the other
// side. Started by the test `browser` of bridges/webchat with the address of the page; what employees do
// is asked for under /stage. Says what it does line by line; the last line is "done".

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [site] = process.argv.slice(2);
const pictures = process.env.KONTOR_PICTURES;
const folder = mkdtempSync(join(tmpdir(), 'kontor-webchat-'));
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
assert(executablePath, 'there is no Chromium on this machine');
const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

const stage = async (act, body = {}) => {
  const answer = await fetch(`${site}/stage/${act}`, { method: 'POST', body: JSON.stringify(body) });
  assert.equal(answer.status, 200, `${act} on the stage`);
  return answer.json();
};
const until = async (what, so) => {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const found = await so();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise(done => setTimeout(done, 50));
  }
};

const hosts = new Set(), problems = [];
const watch = page => {
  page.on('request', request => { if (!request.url().startsWith('blob:')) hosts.add(new URL(request.url()).host); });
  page.on('pageerror', error => problems.push(error.message));
  page.on('console', message => { if (/Refused|Content Security Policy/.test(message.text())) problems.push(message.text()); });
  page.setDefaultTimeout(60_000);
  return page;
};
const visit = async (options = {}) => {
  const context = await browser.newContext({ locale: 'pl-PL', timezoneId: 'Europe/Warsaw', viewport: { width: 1180, height: 800 }, ...options });
  return context;
};
const open = async (context, query = '') => {
  const page = watch(await context.newPage());
  await page.goto(`${site}/${query}`);
  await page.locator('#kontor-chat').waitFor({ state: 'attached' });
  return page;
};
const me = (page, widget = 'olcha') => page.evaluate(widget => JSON.parse(localStorage.getItem('kontor.' + widget) || '{}').id, widget);
const box = page => page.getByLabel('Napisz wiadomość…');
const write = async (page, text) => {
  await box(page).fill(text);
  await box(page).press('Enter');
};
const bubbles = page => page.locator('#kontor-chat .m:not(:first-child) .b').allInnerTexts();
const shown = async (page, expected) => until(`the page shows ${expected}`, async () => JSON.stringify(await bubbles(page)) === JSON.stringify(expected));
const inRoom = async (visitor, expected) => {
  let room;
  const same = async () => {
    room = await stage('room', { visitor });
    return JSON.stringify(room.shown) === JSON.stringify(expected);
  };
  await until(`the room shows ${expected}`, same).catch(error => { throw new Error(`${error.message}, but ${room.shown}`); });
  return room;
};
const picture = async (page, name) => { if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`) }); };
const step = text => console.log(text);

try {
  step('a visitor opens the chat, writes, and is answered');
  const context = await visit();
  const page = await open(context);
  await page.getByRole('button', { name: 'Otwórz czat' }).click();
  await page.getByRole('dialog', { name: 'Pracownia Olcha' }).waitFor();
  assert.equal(await me(page), undefined, 'nobody is known before the first word');
  await write(page, 'Dzień dobry <img src=x onerror="window.hit=1">');
  await page.getByText('Wysłano').waitFor();
  const visitor = await me(page);
  await inRoom(visitor, ['Dzień dobry <img src=x onerror="window.hit=1">']);
  await stage('types', { visitor, on: true });
  await page.getByText('Anna pisze…').waitFor();
  await stage('says', { visitor, text: 'Zobacz: https://shop.example/a', html: '<b>Zobacz</b>: https://shop.example/a <img src=x onerror="window.hit=1"><script>window.hit=1</script>' });
  await shown(page, ['Dzień dobry <img src=x onerror="window.hit=1">', 'Zobacz: https://shop.example/a ']);
  await page.getByText('Anna pisze…').waitFor({ state: 'hidden' });
  assert.equal(await page.locator('#kontor-chat .b b').innerText(), 'Zobacz');
  assert.equal(await page.locator('#kontor-chat .b a').getAttribute('href'), 'https://shop.example/a');
  assert.equal(await page.evaluate(() => window.hit), undefined, 'nothing of what is written runs');
  await stage('reads', { visitor });
  await page.getByText('Przeczytano').waitFor();
  await picture(page, 'answered');

  step('the employee sees that the answer was read');
  const { event } = await stage('says', { visitor, text: 'I jak?' });
  await until('the read mark', async () => (await stage('room', { visitor, event })).rungs.includes('read'));

  step('a reload shows the same conversation');
  const before = [...await bubbles(page)];
  await page.reload();
  await page.locator('#kontor-chat').waitFor({ state: 'attached' });
  await page.getByRole('button', { name: 'Otwórz czat' }).click();
  await shown(page, before);

  step('two tabs show the same and send nothing twice');
  const second = await open(context);
  await second.getByRole('button', { name: 'Otwórz czat' }).click();
  await shown(second, before);
  await write(page, 'z pierwszej karty');
  await shown(second, [...before, 'z pierwszej karty']);
  await write(second, 'z drugiej karty');
  await shown(page, [...before, 'z pierwszej karty', 'z drugiej karty']);
  await Promise.all([write(page, 'naraz A'), write(second, 'naraz B')]);
  const both = await until('both tabs agree', async () => {
    const [one, two] = [await bubbles(page), await bubbles(second)];
    return one.length === before.length + 4 && JSON.stringify(one) === JSON.stringify(two) && one;
  });
  await second.reload();
  await second.locator('#kontor-chat').waitFor({ state: 'attached' });
  await second.getByRole('button', { name: 'Otwórz czat' }).click();
  await shown(second, both);
  const texts = (await stage('room', { visitor })).shown;
  assert.deepEqual([...texts].sort(), [...new Set(texts)].sort(), 'nothing is doubled');
  await second.close();

  step('the network is cut: nothing is lost and nothing doubled in either direction');
  await context.setOffline(true);
  await write(page, 'bez sieci 1');
  await write(page, 'bez sieci 2');
  await stage('says', { visitor, text: 'napisane w tym czasie' });
  await page.getByText('Brak połączenia. Próbujemy dalej.').waitFor();
  await page.getByText('Nie wysłano.').first().waitFor();
  await picture(page, 'cut');
  await context.setOffline(false);
  await inRoom(visitor, [...texts, 'bez sieci 1', 'bez sieci 2']);
  await until('everything is there', async () => {
    const all = await bubbles(page);
    return all.filter(text => /bez sieci|w tym czasie/.test(text)).length === 3 && all;
  });
  await page.getByText('Brak połączenia. Próbujemy dalej.').waitFor({ state: 'hidden' });
  assert.equal(await page.getByText('Nie wysłano.').count(), 0);

  step('an answer that is lost on its way does not double the message, not even over a reload');
  let lost = 0;
  await page.route('**/messages?*', async route => {
    // The bridge takes it; the page never hears of it.
    await route.fetch();
    lost++;
    await route.abort();
  });
  await write(page, 'odpowiedź zginęła');
  await until('it was taken', () => lost > 0);
  await page.unroute('**/messages?*');
  await page.reload();
  await page.locator('#kontor-chat').waitFor({ state: 'attached' });
  await page.getByRole('button', { name: 'Otwórz czat' }).click();
  await inRoom(visitor, [...texts, 'bez sieci 1', 'bez sieci 2', 'odpowiedź zginęła']);
  await until('it is there once', async () => (await bubbles(page)).filter(text => text === 'odpowiedź zginęła').length === 1);

  step('the bridge is restarted: the conversation goes on');
  await stage('restart');
  await stage('says', { visitor, text: 'po przerwie' });
  await until('the answer comes', async () => (await bubbles(page)).at(-1) === 'po przerwie');

  step('what the employee changes and takes back is changed and taken back');
  const changed = await stage('says', { visitor, text: 'cena 389' });
  await until('the price', async () => (await bubbles(page)).at(-1) === 'cena 389');
  await stage('edits', { visitor, event: changed.event, text: 'cena 289' });
  await until('the new price', async () => (await bubbles(page)).at(-1) === 'cena 289');
  await stage('deletes', { visitor, event: changed.event });
  await until('no price', async () => (await bubbles(page)).at(-1) === 'Ta wiadomość została usunięta.');

  step('files go both ways');
  const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
  writeFileSync(join(folder, 'kąt.png'), png);
  await page.locator('#kontor-chat input[type=file]').setInputFiles(join(folder, 'kąt.png'));
  await page.locator('#kontor-chat .m.v img').waitFor();
  await page.locator('#kontor-chat input[type=file]').setInputFiles({ name: 'x.html', mimeType: 'text/html', buffer: Buffer.from('<b>') });
  const refused = page.getByText('Plików tego rodzaju nie można wysłać.');
  await refused.waitFor();
  await page.locator('#kontor-chat .ft textarea').fill('a');
  await refused.waitFor({ state: 'hidden' });
  await page.locator('#kontor-chat .ft textarea').fill('');
  await until('the picture is in the room', async () => (await stage('room', { visitor })).shown.some(text => text.includes('kąt.png')));
  await stage('sends_picture', { visitor });
  await page.locator('#kontor-chat .m.a img').waitFor();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'lampa.gif' }).click();
  assert.equal((await download).suggestedFilename(), 'lampa.gif');

  step('while the chat is closed, a badge counts; opening it reads');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await stage('says', { visitor, text: 'halo?' });
  await page.getByRole('button', { name: 'Otwórz czat, nieprzeczytane wiadomości: 1' }).waitFor();
  await picture(page, 'badge');
  await page.getByRole('button', { name: /Otwórz czat/ }).click();
  await page.getByRole('button', { name: 'Otwórz czat', exact: true }).waitFor();

  step('the keyboard stays in the chat while it is open, and finds its way back');
  const focus = () => page.evaluate(() => {
    const element = document.activeElement.shadowRoot?.activeElement;
    return element && (element.getAttribute('aria-label') || element.innerText || element.tagName);
  });
  const seen = new Set();
  for (let press = 0; press < 40; press++) {
    await page.keyboard.press('Tab');
    seen.add(await focus());
  }
  assert(!seen.has(null) && !seen.has(undefined), 'the focus never leaves');
  for (const name of ['Napisz wiadomość…', 'Zamknij czat', 'Wyślij', 'Załącz plik', 'Więcej opcji', 'Wiadomości']) assert(seen.has(name), `${name} is reached`);
  await page.keyboard.press('Escape');
  assert.equal(await focus(), 'Otwórz czat', 'the focus is where it was');
  await page.keyboard.press('Enter');
  assert.equal(await focus(), 'Napisz wiadomość…');
  const roles = await page.evaluate(() => {
    const root = document.querySelector('#kontor-chat').shadowRoot;
    const bare = [...root.querySelectorAll('button,input,textarea')].filter(e => !e.closest('[hidden]') && !e.closest('label')
      && !(e.getAttribute('aria-label') || e.innerText || e.getAttribute('aria-hidden')));
    return { log: root.querySelector('[role=log]').getAttribute('aria-live'), bare: bare.length, html: [...root.querySelectorAll('script,iframe')].length };
  });
  assert.deepEqual(roles, { log: 'polite', bare: 0, html: 0 });

  step('the visitor ends the conversation and rates it');
  await page.getByRole('button', { name: 'Więcej opcji' }).click();
  await page.getByRole('button', { name: 'Zakończ rozmowę' }).click();
  await page.getByRole('button', { name: '4/5' }).click();
  await page.getByLabel('Kilka słów, jeśli chcesz').fill('miło');
  await picture(page, 'rating');
  await page.getByRole('button', { name: 'Wyślij' }).click();
  await page.getByText('Dziękujemy za opinię!').waitFor();
  await until('the rating is told', async () => (await stage('room', { visitor })).notices.some(notice => notice['dev.kontor.rating']?.score === 4));

  step('data is taken along and erased');
  page.on('dialog', dialog => dialog.accept());
  const data = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Więcej opcji' }).click();
  await page.getByRole('button', { name: 'Pobierz moje dane' }).click();
  assert.equal((await data).suggestedFilename(), 'chat.json');
  await page.getByRole('button', { name: 'Więcej opcji' }).click();
  await page.getByRole('button', { name: 'Usuń moje dane' }).click();
  await page.getByText('Ta strona już Cię nie pamięta.').waitFor();
  assert.deepEqual(await bubbles(page), []);
  assert.equal(await me(page), undefined);
  await context.close();

  step('who logs in, logs out and logs in as somebody else never sees the other one');
  const shared = await visit();
  const till = await open(shared);
  const token = sub => {
    const now = Math.floor(Date.now() / 1000);
    const claims = Buffer.from(JSON.stringify({ sub, name: sub, wid: 'olcha', iat: now, exp: now + 900 })).toString('base64url');
    return `${claims}.${createHmac('sha256', 'the-shop-signs-with-this').update(claims).digest('hex')}`;
  };
  const login = sub => till.evaluate(token => Kontor.identify(token), token(sub));
  await login('klient-1');
  await till.evaluate(() => Kontor.open());
  await write(till, 'tajne klienta 1');
  await till.getByText('Wysłano').waitFor();
  const one = await me(till);
  await login('klient-2');
  await until('an empty page', async () => (await bubbles(till)).length === 0);
  assert.notEqual(await me(till), one);
  await write(till, 'pytanie klienta 2');
  await till.getByText('Wysłano').waitFor();
  await inRoom(await me(till), ['pytanie klienta 2']);
  await till.evaluate(() => Kontor.reset());
  assert.equal(await me(till), undefined);
  const other = await visit();
  const phone = await open(other);
  await phone.evaluate(token => Kontor.identify(token), token('klient-1'));
  await shown(phone, ['tajne klienta 1']);
  await Promise.all([shared.close(), other.close()]);

  step('nobody is there: the form is taken, in Ukrainian, on a phone, in the dark');
  const night = await visit({ viewport: { width: 390, height: 780 }, colorScheme: 'dark', locale: 'uk-UA', hasTouch: true });
  const late = await open(night, '?w=closed&lang=uk');
  await late.getByRole('button', { name: 'Відкрити чат' }).click();
  await late.getByLabel('Ваше ім’я').fill('Оксана');
  await late.getByLabel('Електронна пошта *').fill('nonsense');
  await late.getByLabel('Повідомлення *').fill('Чи є лампа?');
  const tick = late.getByRole('checkbox');
  assert.equal(await tick.isChecked(), false, 'nothing is ticked in advance');
  await tick.check();
  await late.getByRole('button', { name: 'Надіслати' }).click();
  assert.equal(await me(late, 'closed'), undefined, 'an address that is none is not sent');
  await late.getByLabel('Електронна пошта *').fill('oksana@example.com');
  await picture(late, 'lead');
  await late.getByRole('button', { name: 'Надіслати' }).click();
  await late.getByText('Дякуємо! Ми отримали ваше повідомлення й скоро відповімо.').waitFor();
  const left = await inRoom(await me(late, 'closed'), ['Чи є лампа?']);
  assert(left.notices.some(notice => notice['dev.kontor.lead'] && notice.body.includes('oksana@example.com') && notice.body.includes('contact')));
  await stage('says', { visitor: await me(late, 'closed'), text: 'Так, є!' });
  await until('the answer', async () => (await bubbles(late)).at(-1) === 'Так, є!');
  await picture(late, 'phone');
  await night.close();

  step('a widget that asks first asks, in English, and takes what it needs');
  const asked = await visit();
  const ask = await open(asked, '?w=asking&lang=en');
  await ask.getByRole('button', { name: 'Open chat' }).click();
  await ask.getByLabel('Message *').fill('Hello');
  await ask.getByRole('button', { name: 'Start the conversation' }).click();
  assert.equal(await me(ask, 'asking'), undefined, 'a name is needed');
  await ask.getByLabel('Your name *').fill('Jan');
  await ask.getByRole('button', { name: 'Start the conversation' }).click();
  await ask.getByText('Sent', { exact: false }).first().waitFor();
  await inRoom(await me(ask, 'asking'), ['Hello']);
  await asked.close();

  step('a page with a strict policy shows it as well');
  const strict = await visit();
  const careful = watch(await strict.newPage());
  const script = await (await fetch(site)).text().then(text => text.match(/<script src="([^"]+)"/)[1]);
  await careful.goto(`${site}/strict`);
  await careful.getByRole('button', { name: 'Otwórz czat' }).click();
  await write(careful, 'z surowej strony');
  await careful.getByText('Wysłano').waitFor();
  const width = await careful.evaluate(() => document.querySelector('#kontor-chat').shadowRoot.querySelector('[role=dialog]').getBoundingClientRect().width);
  assert.equal(width, 376, 'the style sheet is in force');
  await strict.close();

  assert.deepEqual([...hosts].sort(), [new URL(site).host, new URL(script).host].sort(), 'nobody else is asked for anything');
  assert.deepEqual(problems, []);
  console.log('done');
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
