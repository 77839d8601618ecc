// The card's page in a real browser: read and used without scripts by whoever signs in, and beside a conversation
// as a widget. Started by the claim in tests/client/conversations/page.rs with what it set up, as JSON. With
// KONTOR_PICTURES=folder it leaves pictures there. The last line is "done".

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const stage = JSON.parse(process.argv[2]);
const pictures = process.env.KONTOR_PICTURES;
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
assert(executablePath, 'there is no Chromium on this machine');
const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

const hosts = new Set(), problems = [];
const watch = page => {
  page.on('request', request => hosts.add(new URL(request.url()).host));
  page.on('pageerror', error => problems.push(error.message));
  page.on('console', message => { if (/Refused|Content Security Policy/.test(message.text())) problems.push(message.text()); });
  page.setDefaultTimeout(30_000);
  return page;
};
const visit = async (options = {}) => watch(await (await browser.newContext({
  locale: 'pl-PL', timezoneId: 'Europe/Warsaw', viewport: { width: 1180, height: 900 }, ...options,
})).newPage());
const picture = async (page, name) => { if (pictures) await page.screenshot({ path: join(pictures, `card-${name}.png`), fullPage: true }); };
const signIn = async page => {
  await page.goto(stage.card);
  await page.locator('input[name=user]').fill(stage.user);
  await page.locator('input[name=password]').fill(stage.password);
  await page.locator('input[name=password]').press('Enter');
  await page.locator('header.card').waitFor();
};
// What somebody who does not see the page is told of it, and whether it fits.
const sound = async page => {
  const found = await page.evaluate(() => {
    const nameless = [...document.querySelectorAll('input:not([type=hidden]), select, textarea, button')]
      .filter(field => !(field.labels && field.labels.length) && !field.textContent.trim()).map(field => field.outerHTML);
    return { nameless, titles: document.querySelectorAll('h1').length, lang: document.documentElement.lang,
      wide: document.documentElement.scrollWidth - document.documentElement.clientWidth };
  });
  assert.deepEqual(found.nameless, [], 'every field has a name');
  assert.equal(found.titles, 1);
  assert(found.wide <= 0, `the page is ${found.wide} pixels too wide`);
  return found.lang;
};

// What was bought, by whose word and how old that is, with what it is worth; the shop that is silent is marked.
const purchases = async page => {
  const section = page.locator('section', { has: page.getByRole('heading', { name: 'Zakupy i płatności' }) });
  const said = (await section.innerText()).replaceAll('\u00a0', ' ');
  for (const text of ['Wpłacono łącznie', '1 299,00 PLN', 'Otwarte szanse', '12 500,00 PLN', 'Zamówienia', '727', '731', '4× Krzesło bukowe', 'Płatności', 'BLIK',
    'InPost', 'Faktury', 'FV/12/2026', 'Szanse', 'D-9', 'koszt 800,00 PLN, marża 499,00 PLN', 'Hurtownia milczy od', 'Skąd: Sklep']) {
    assert(said.includes(text), `${text} in ${said}`);
  }
  assert(!said.includes('Sklep milczy'), 'the other shop speaks');
  assert.equal(await section.getByRole('link', { name: /InPost/ }).getAttribute('href'), 'https://inpost.example/620012');
  const tasks = page.locator('section', { has: page.getByRole('heading', { name: 'Do zrobienia' }) });
  assert((await tasks.innerText()).includes('Wysłać ofertę'), 'tasks');
};
// Of three who may be the same person one is, one is not, and of one it must be said whose it is.
const decide = async page => {
  const section = page.locator('section', { has: page.getByRole('heading', { name: 'Może to ta sama osoba' }) });
  const of = contact => section.locator('li', { has: page.locator(`a[href="/_kontor/card/${contact}"]`) });
  const [same, different, owned] = stage.alike;
  assert((await of(same).innerText()).includes('ten sam numer lub adres'), await section.innerText());
  assert((await of(same).innerText()).includes('mocno za'));
  assert((await of(different).innerText()).includes('przeciw'));
  assert((await of(owned).innerText()).includes(stage.bob));
  await picture(page, 'perhaps-pl');
  await of(same).getByRole('button', { name: 'To ta sama osoba' }).click();
  await of(same).waitFor({ state: 'detached' });
  assert(page.url().endsWith('#same'), page.url());
  const joined = page.locator('#same');
  assert((await joined.innerText()).includes(stage.anna));
  await joined.getByRole('button', { name: 'Cofnij' }).click();
  await joined.getByText('cofnięto').first().waitFor();
  await picture(page, 'undone-pl');
  // It was perhaps a slip: the question stands again.
  await of(same).getByRole('button', { name: 'To ta sama osoba' }).click();
  await of(same).waitFor({ state: 'detached' });
  await of(different).getByRole('button', { name: 'To różne osoby' }).click();
  await of(different).waitFor({ state: 'detached' });
  await of(owned).getByRole('button', { name: 'To ta sama osoba' }).click();
  await page.getByRole('alert').waitFor();
  assert((await page.getByRole('alert').innerText()).includes('Czyj ma być kontakt'));
  await picture(page, 'owners-pl');
  await page.getByRole('button', { name: stage.anna, exact: true }).click();
  await of(owned).waitFor({ state: 'detached' });
  assert.equal(await page.locator('#same').getByRole('button', { name: 'Cofnij' }).count(), 2);
};
// Without scripts, by mouse and by keyboard.
{
  const page = await visit({ javaScriptEnabled: false });
  await page.goto(stage.card);
  await picture(page, 'sign-in-pl');
  await page.locator('input[name=user]').fill(stage.user);
  await page.locator('input[name=password]').fill('wrong');
  await page.getByRole('button', { name: 'Zaloguj się' }).click();
  await page.getByRole('alert').waitFor();
  await signIn(page);
  for (const text of [stage.name, 'oksana.kowalska@example.com', 'potwierdzone', 'Dostawa gratis', 'Wysłać ofertę', 'Czeka od', 'marketing email']) {
    assert((await page.locator('main').innerText()).includes(text), text);
  }
  await purchases(page);
  await picture(page, 'purchases-pl');
  await decide(page);
  await page.getByRole('button', { name: 'Biorę' }).click();
  await page.getByRole('combobox', { name: 'Prowadzi', exact: true }).selectOption(stage.bob);
  await page.getByRole('button', { name: 'Przekaż' }).click();
  assert.equal(await page.getByRole('combobox', { name: 'Prowadzi', exact: true }).inputValue(), stage.bob);
  await page.getByLabel('Nowa notatka').fill('From the browser');
  await page.getByLabel('Nowa notatka').press('Tab');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByText('From the browser').waitFor();
  await page.getByLabel('Co jest do zrobienia?').fill('<b>Bold</b> task');
  await page.getByLabel('Do', { exact: true }).fill('2099-01-31');
  await page.getByRole('button', { name: 'Dodaj' }).first().click();
  await page.getByText('<b>Bold</b> task').first().waitFor();
  assert((await page.locator('main').innerText()).includes('2099-01-31 23:59'), 'in the company\'s time');
  await page.getByRole('button', { name: 'Zrobione: <b>Bold</b> task' }).click();
  await page.getByRole('button', { name: 'Jednak nie: <b>Bold</b> task' }).waitFor();
  await page.getByRole('combobox', { name: 'Status', exact: true }).selectOption('pending');
  await page.getByRole('button', { name: 'Ustaw status' }).click();
  assert((await page.locator('section').first().innerText()).includes('oczekuje'));
  await page.getByRole('button', { name: 'Pokaż, co zostało cofnięte' }).click();
  await page.getByText('nieważne').waitFor();
  await picture(page, 'kept-pl');
  await page.getByText('Wróć do karty').click();
  await page.getByRole('button', { name: 'Wyloguj' }).click();
  await page.locator('input[name=password]').waitFor();
}

// In every language, wide and narrow, light and dark.
const shown = [];
for (const [locale, lang] of [['pl-PL', 'pl'], ['uk-UA', 'uk'], ['en-GB', 'en']]) {
  for (const [size, width] of [['wide', 1180], ['narrow', 360]]) {
    for (const colorScheme of size === 'wide' ? ['light', 'dark'] : ['light']) {
      const page = await visit({ locale, colorScheme, viewport: { width, height: 900 } });
      await signIn(page);
      assert.equal(await sound(page), lang);
      await picture(page, `${lang}-${size}-${colorScheme}`);
      shown.push(lang + size + colorScheme);
      await page.context().close();
    }
  }
}
assert.equal(shown.length, 9);

// Beside a conversation.
{
  const page = await visit();
  await page.goto(stage.host);
  const frame = page.frameLocator('iframe');
  await frame.locator('header.card').waitFor();
  assert((await frame.locator('main').innerText()).includes('oksana.kowalska@example.com'));
  assert.equal(await frame.locator('html').getAttribute('data-theme'), 'dark');
  await frame.getByLabel('Nowa notatka').fill('From the frame');
  await frame.getByRole('button', { name: 'Dodaj' }).last().click();
  await frame.getByText('From the frame').waitFor();
  const heard = await page.evaluate(() => window.heard);
  assert(heard.some(([api, action, answered]) => api === 'toWidget' && action === 'capabilities' && answered), 'the client is answered');
  await picture(page, 'widget');
  await frame.getByRole('button', { name: 'Pokaż, co zostało cofnięte' }).click();
  await frame.getByText('nieważne').waitFor();
  await frame.getByRole('button', { name: 'Wróć do karty' }).click();
  await frame.locator('header.card').waitFor();
  assert.equal(await frame.getByRole('button', { name: 'Wyloguj' }).count(), 0);
  assert.deepEqual(await page.context().cookies(), [], 'no cookies in a frame');
}
assert.deepEqual(problems, []);
assert.deepEqual([...hosts].sort(), [stage.card, stage.host].map(url => new URL(url).host).sort(), 'nobody else is asked');

// In a frame of somebody else nothing is shown.
{
  const page = await visit();
  await page.goto(stage.foreign);
  for (let tries = 0; problems.length === 0 && tries < 200; tries++) await new Promise(done => setTimeout(done, 50));
  assert(problems.some(problem => problem.includes('frame-ancestors')), 'the browser refuses');
  assert.equal(await page.frameLocator('iframe').locator('header.card').count(), 0);
}

await browser.close();
console.log('done');
