const ENGLISH = {
  title: 'Click, and watch it count.',
  intro:
    'Every button of this small shop calls trackEvent(). Beside it is what your clicks become: stored in Postgres, and asked back from it, in less than a second.',
  connecting: 'Connecting',
  live: 'Live',
  lost: 'Connection lost, trying again',
  'signed-out': 'Not signed in',
  latency: (ms) => `${ms} ms from your click to here`,
  language: 'Language',

  shop: 'Demo shop',
  visitor: 'You',
  restart: 'New visitor',
  restartHint: 'Start over as a new visitor',
  back: 'Back',
  searchTitle: 'What needs doing at home?',
  where: 'Where',
  search: 'Find professionals',
  services: {
    plumbing: 'Plumbing',
    electrical: 'Electrical',
    cleaning: 'Cleaning',
    painting: 'Painting',
    gardening: 'Gardening',
    locks: 'Locks',
  },
  resultsTitle: (service, city) => `${service} in ${city}`,
  visit: 'a visit',
  jobs: (count) => `${count} jobs`,
  badges: { verified: 'Verified', top_rated: 'Top rated', insured: 'Insured' },
  profileTitle: (name) => name,
  available: (share) => `Free on ${Math.round(share * 7)} of the next 7 days`,
  profileText: 'Comes with tools, leaves with the rubbish, and answers within the hour.',
  book: 'Book a visit',
  checkoutTitle: 'Check out',
  tomorrow: 'Tomorrow, 9:00',
  subtotal: 'Visit',
  deposit: 'Deposit now, 20 %',
  guest: 'You book as a guest.',
  signIn: 'Sign in',
  signedIn: 'Signed in. Your earlier clicks are yours too.',
  method: 'Pay with',
  methods: { card: 'Card', pse: 'PSE', nequi: 'Nequi', expired: 'Expired card' },
  pay: (amount) => `Pay ${amount}`,
  declined: 'The card has expired. Choose another way to pay.',
  doneTitle: 'Booked.',
  doneText: (name) => `${name} comes tomorrow at 9:00.`,
  rate: 'How easy was that?',
  stars: (count) => `${count} of 5`,
  thanks: 'Thank you.',
  again: 'Start over as a new visitor',
  lastCall: 'The last call',
  noCall: '// press a button',
  blocked: 'Something blocked /t.js, an ad blocker perhaps: the shop works, but nothing is counted.',

  funnel: 'Funnel',
  funnelHint: 'People, in this order, within 7 days of their first step',
  steps: {
    SearchStarted: 'Searched',
    ProfessionalViewed: 'Viewed a profile',
    CheckoutStarted: 'Checked out',
    PaymentAttempted: 'Tried to pay',
    BookingConfirmed: 'Booked',
  },
  goOn: (share, left) => `${share} go on${left > 0 ? ` · ${left} left` : ''}`,
  ofFirst: (share) => share,
  funnelEmpty: 'Nobody yet. Press “Find professionals”, or send a crowd.',
  crowd: 'Send a crowd of 25',
  tail: 'Live tail',
  tailHint: 'As they are stored, the newest first',
  tailEmpty: 'Nothing stored yet.',
  you: 'you',
  counts: 'Events by type',
  countsHint: 'Last 30 days',
  ledger: 'Ledger',
  ledgerHint: 'Today (UTC), all sources',
  identitiesHold: 'The sums add up',
  identitiesBroken: 'The sums do not add up',
  rejected: (count) => `${count} rejected`,
  accounts: {
    received: 'Received',
    accepted: 'Accepted',
    stored: 'Stored',
    duplicate: 'Duplicates',
    dead_lettered: 'Dead letters',
    quarantined: 'Quarantined',
    in_flight: 'In flight',
    missing: 'Missing',
  },
  monitoring: {
    title: 'Marketplace',
    hint: 'Conversations, guests, bookings, and what keeps them running',
    lastDay: 'last day',
    longest: (count) => `longest ${count}`,
    minutes: (count) => `${count} min`,
    characters: (count) => `${count} characters`,
    ofRequests: (count) => `of ${count} requests, last day`,
    ofGuests: 'of the last day’s guests',
    ofBookings: (count) => `of ${count} bookings, 7 days`,
    waiting: 'waiting to be stored',
    overdue: 'overdue',
    never: 'not yet',
    figures: {
      conversations: 'Conversations',
      messages: 'Messages each',
      length: 'Length',
      errors: 'Chat errors',
      guests: 'Guests',
      conversion: 'Became users',
      traced: 'Traced to a search',
      unsent: 'Events held back',
    },
    tables: {
      jobs: { title: 'Jobs', columns: ['Job', 'Last good run', 'Good', 'Removed'] },
      tables: { title: 'Tables', columns: ['Table', 'Rows, about', 'Size', 'Indexes'] },
      indexes: { title: 'Indexes', columns: ['Index', 'Scans', 'Size'] },
      queries: { title: 'Queries', columns: ['Query', 'Calls', 'Mean'] },
    },
  },
  signedOutTitle: 'This side is for operators',
  signedOutText:
    'npm start prints a link that carries an operator token: open that, or paste the token (it is in DATA_DIR/access.json). The shop works without.',
  token: 'Operator token',
  enter: 'Enter',
  wrongToken: 'This token is not known.',
}

const SPANISH = {
  title: 'Haga clic y véalo contar.',
  intro:
    'Cada botón de esta pequeña tienda llama a trackEvent(). Al lado ve en qué se convierten sus clics: guardados en Postgres, y consultados allí, en menos de un segundo.',
  connecting: 'Conectando',
  live: 'En vivo',
  lost: 'Sin conexión, reintentando',
  'signed-out': 'Sin sesión',
  latency: (ms) => `${ms} ms de su clic hasta aquí`,
  language: 'Idioma',

  shop: 'Tienda demo',
  visitor: 'Usted',
  restart: 'Otro visitante',
  restartHint: 'Empezar de nuevo como otro visitante',
  back: 'Volver',
  searchTitle: '¿Qué hace falta en casa?',
  where: 'Dónde',
  search: 'Buscar profesionales',
  services: {
    plumbing: 'Plomería',
    electrical: 'Electricidad',
    cleaning: 'Limpieza',
    painting: 'Pintura',
    gardening: 'Jardinería',
    locks: 'Cerrajería',
  },
  resultsTitle: (service, city) => `${service} en ${city}`,
  visit: 'la visita',
  jobs: (count) => `${count} trabajos`,
  badges: { verified: 'Verificado', top_rated: 'Mejor calificado', insured: 'Asegurado' },
  profileTitle: (name) => name,
  available: (share) => `Libre ${Math.round(share * 7)} de los próximos 7 días`,
  profileText: 'Trae sus herramientas, se lleva los escombros y responde en menos de una hora.',
  book: 'Reservar visita',
  checkoutTitle: 'Su reserva',
  tomorrow: 'Mañana, 9:00',
  subtotal: 'Visita',
  deposit: 'Anticipo hoy, 20 %',
  guest: 'Reserva como invitado.',
  signIn: 'Iniciar sesión',
  signedIn: 'Sesión iniciada. Sus clics anteriores también son suyos.',
  method: 'Pagar con',
  methods: { card: 'Tarjeta', pse: 'PSE', nequi: 'Nequi', expired: 'Tarjeta vencida' },
  pay: (amount) => `Pagar ${amount}`,
  declined: 'La tarjeta está vencida. Elija otro medio de pago.',
  doneTitle: 'Reservado.',
  doneText: (name) => `${name} llega mañana a las 9:00.`,
  rate: '¿Qué tan fácil fue?',
  stars: (count) => `${count} de 5`,
  thanks: 'Gracias.',
  again: 'Empezar de nuevo como otro visitante',
  lastCall: 'La última llamada',
  noCall: '// oprima un botón',
  blocked: 'Algo bloqueó /t.js, quizá un bloqueador de anuncios: la tienda funciona, pero nada se cuenta.',

  funnel: 'Embudo',
  funnelHint: 'Personas, en este orden, dentro de 7 días desde su primer paso',
  steps: {
    SearchStarted: 'Buscaron',
    ProfessionalViewed: 'Vieron un perfil',
    CheckoutStarted: 'Empezaron a pagar',
    PaymentAttempted: 'Intentaron el pago',
    BookingConfirmed: 'Reservaron',
  },
  goOn: (share, left) => `${share} sigue${left > 0 ? ` · ${left} se ${left === 1 ? 'fue' : 'fueron'}` : ''}`,
  ofFirst: (share) => share,
  funnelEmpty: 'Nadie todavía. Oprima “Buscar profesionales”, o envíe una multitud.',
  crowd: 'Enviar una multitud de 25',
  tail: 'En vivo',
  tailHint: 'Al guardarse, lo más nuevo primero',
  tailEmpty: 'Todavía no hay nada guardado.',
  you: 'usted',
  counts: 'Eventos por tipo',
  countsHint: 'Últimos 30 días',
  ledger: 'Libro de entregas',
  ledgerHint: 'Hoy (UTC), todas las fuentes',
  identitiesHold: 'Las sumas cuadran',
  identitiesBroken: 'Las sumas no cuadran',
  rejected: (count) => `${count} rechazados`,
  accounts: {
    received: 'Recibidos',
    accepted: 'Aceptados',
    stored: 'Guardados',
    duplicate: 'Duplicados',
    dead_lettered: 'Cartas muertas',
    quarantined: 'En cuarentena',
    in_flight: 'En camino',
    missing: 'Faltan',
  },
  monitoring: {
    title: 'Mercado',
    hint: 'Conversaciones, invitados, reservas y lo que los mantiene en marcha',
    lastDay: 'último día',
    longest: (count) => `la más larga, ${count}`,
    minutes: (count) => `${count} min`,
    characters: (count) => `${count} caracteres`,
    ofRequests: (count) => `de ${count} peticiones, último día`,
    ofGuests: 'de los invitados del último día',
    ofBookings: (count) => `de ${count} reservas, 7 días`,
    waiting: 'por guardar',
    overdue: 'atrasada',
    never: 'aún no',
    figures: {
      conversations: 'Conversaciones',
      messages: 'Mensajes por una',
      length: 'Duración',
      errors: 'Errores del chat',
      guests: 'Invitados',
      conversion: 'Pasaron a usuarios',
      traced: 'Vienen de una búsqueda',
      unsent: 'Eventos retenidos',
    },
    tables: {
      jobs: { title: 'Tareas', columns: ['Tarea', 'Última buena', 'Buenas', 'Borrados'] },
      tables: { title: 'Tablas', columns: ['Tabla', 'Filas, aprox.', 'Tamaño', 'Índices'] },
      indexes: { title: 'Índices', columns: ['Índice', 'Usos', 'Tamaño'] },
      queries: { title: 'Consultas', columns: ['Consulta', 'Veces', 'Media'] },
    },
  },
  signedOutTitle: 'Este lado es para operadores',
  signedOutText:
    'npm start imprime un enlace que lleva un token de operador: ábralo, o pegue el token (está en DATA_DIR/access.json). La tienda funciona sin él.',
  token: 'Token de operador',
  enter: 'Entrar',
  wrongToken: 'Este token no se conoce.',
}

const LANGUAGES = { en: ENGLISH, es: SPANISH }
const listeners = new Set()
let language = remembered() ?? (navigator.language.startsWith('es') ? 'es' : 'en')

/** The texts of the language in use. */
export function text() {
  return LANGUAGES[language]
}

export function currentLanguage() {
  return language
}

export function setLanguage(chosen) {
  language = chosen
  try {
    localStorage.setItem('language', chosen)
  } catch {
    // Storage is blocked: the choice holds until the page is left.
  }
  for (const listener of listeners) listener()
}

export function onLanguage(listener) {
  listeners.add(listener)
}

function remembered() {
  try {
    const stored = localStorage.getItem('language')
    return stored in LANGUAGES ? stored : null
  } catch {
    return null
  }
}
