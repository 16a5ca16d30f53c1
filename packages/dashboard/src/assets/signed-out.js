import { el } from './dom.js'
import { onLanguage, text } from './text.js'

/** What stands in place of the numbers for somebody without a session. `enter(token)` resolves whether it is known. */
export function signedOut(enter) {
  const element = el('div', { class: 'signed-out' })
  const render = () => {
    const words = text()
    const problem = el('p', { class: 'problem', role: 'alert' })
    const input = el('input', {
      id: 'token',
      type: 'password',
      autocomplete: 'off',
      placeholder: 'op_…',
      spellcheck: 'false',
      required: true,
    })
    const onsubmit = async (submit) => {
      submit.preventDefault()
      problem.textContent = ''
      if (!(await enter(input.value.trim()).catch(() => false))) problem.textContent = text().wrongToken
    }
    element.replaceChildren(
      el('h2', {}, words.signedOutTitle),
      el(
        'p',
        {},
        words.signedOutText
          .split(/(npm start|DATA_DIR\/access\.json)/)
          .map((part, index) => (index % 2 ? el('code', {}, part) : part)),
      ),
      el(
        'form',
        { onsubmit },
        el('label', { for: 'token' }, words.token),
        el('div', { class: 'row' }, input, el('button', { class: 'quiet' }, words.enter)),
        problem,
      ),
    )
  }
  onLanguage(render)
  render()
  return element
}
