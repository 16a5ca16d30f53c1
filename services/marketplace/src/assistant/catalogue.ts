import type { Locale } from './assistant.ts'

type InBoth = Record<Locale, string>

export interface CatalogueService {
  name: InBoth
  /** Beginnings of words that name it, in both languages, without accents. */
  words: string[]
  /** What a visit costs, in COP. */
  from: number
  to: number
  takes: InBoth
}

/** Services of an example marketplace: what the offline assistant knows. */
export const SERVICES: CatalogueService[] = [
  {
    name: { en: 'Home cleaning', es: 'Limpieza del hogar' },
    words: ['clean', 'limpi', 'aseo', 'maid'],
    from: 80_000,
    to: 140_000,
    takes: { en: '4 to 8 hours', es: '4 a 8 horas' },
  },
  {
    name: { en: 'Plumbing', es: 'Plomería' },
    words: ['plumb', 'plomer', 'fontaner', 'leak', 'fuga', 'tap', 'grifo', 'pipe', 'tuber'],
    from: 90_000,
    to: 220_000,
    takes: { en: '1 to 3 hours', es: '1 a 3 horas' },
  },
  {
    name: { en: 'Electrical work', es: 'Electricidad' },
    words: ['electric', 'light', 'luz', 'enchufe', 'socket', 'wiring', 'cable'],
    from: 90_000,
    to: 250_000,
    takes: { en: '1 to 4 hours', es: '1 a 4 horas' },
  },
  {
    name: { en: 'Painting', es: 'Pintura' },
    words: ['paint', 'pint', 'wall', 'pared'],
    from: 180_000,
    to: 450_000,
    takes: { en: '1 to 2 days a room', es: '1 a 2 días por habitación' },
  },
  {
    name: { en: 'Appliance repair', es: 'Reparación de electrodomésticos' },
    words: ['applianc', 'electrodomest', 'fridge', 'nevera', 'washing', 'lavadora', 'oven', 'horno'],
    from: 70_000,
    to: 200_000,
    takes: { en: '1 to 2 hours', es: '1 a 2 horas' },
  },
  {
    name: { en: 'Gardening', es: 'Jardinería' },
    words: ['garden', 'jardin', 'lawn', 'cesped', 'prado'],
    from: 70_000,
    to: 160_000,
    takes: { en: 'half a day', es: 'medio día' },
  },
  {
    name: { en: 'Moving', es: 'Mudanzas' },
    words: ['moving', 'mudanza', 'trasteo', 'movers'],
    from: 250_000,
    to: 900_000,
    takes: { en: 'a day', es: 'un día' },
  },
]

/** Without accents, in small letters: how they are found; and as they are written. */
export const CITIES: Record<string, string> = {
  bogota: 'Bogotá',
  medellin: 'Medellín',
  cali: 'Cali',
  barranquilla: 'Barranquilla',
  cartagena: 'Cartagena',
  bucaramanga: 'Bucaramanga',
  pereira: 'Pereira',
  'santa marta': 'Santa Marta',
}

export interface FrequentQuestion {
  words: string[]
  answer: InBoth
}

/** More particular ones first: the first of those that fit equally well is taken. */
export const FAQ: FrequentQuestion[] = [
  {
    words: ['cancel', 'refund', 'reembols', 'devol'],
    answer: {
      en: 'A booking can be cancelled under “My bookings”. Who cancelled and why is kept with it, and a refund goes back the way it was paid.',
      es: 'Una reserva se cancela en «Mis reservas». Quién canceló y por qué queda registrado, y el reembolso vuelve por el mismo medio de pago.',
    },
  },
  {
    words: ['pay', 'pag', 'card', 'tarjeta', 'pse', 'nequi', 'deposit', 'deposito', 'anticipo'],
    answer: {
      en: 'You pay in Colombian pesos (COP) at the checkout: a deposit when you book, the rest when the work is done.',
      es: 'Se paga en pesos colombianos (COP) al confirmar: un anticipo con la reserva y el resto al terminar el trabajo.',
    },
  },
  {
    words: ['guest', 'account', 'invitad', 'cuenta', 'regist', 'sign'],
    answer: {
      en: 'You can book as a guest with your name and email. When you sign up later, your bookings come along to your account.',
      es: 'Puede reservar como invitado con su nombre y correo. Si luego se registra, sus reservas pasan a su cuenta.',
    },
  },
  {
    words: ['problem', 'complain', 'dispute', 'queja', 'reclam', 'disput', 'damage', 'dano'],
    answer: {
      en: 'If something went wrong, open a dispute from the booking: a person looks at it with you and the professional.',
      es: 'Si algo salió mal, abra una disputa desde la reserva: una persona la revisa con usted y con el profesional.',
    },
  },
  {
    words: ['book', 'reserv', 'agend', 'schedul', 'appointment', 'cita'],
    answer: {
      en: 'To book: search by city and service, choose a professional, pick a time and confirm. You get a message when they accept.',
      es: 'Para reservar: busque por ciudad y servicio, elija un profesional, escoja la hora y confirme. Le avisamos cuando acepte.',
    },
  },
]
