export const CITIES = ['Bogotá', 'Medellín', 'Cali', 'Barranquilla', 'Cartagena', 'Bucaramanga']

/** What can be booked; prices of a visit in COP; the icon is one path on a 24 × 24 grid. */
export const SERVICES = {
  plumbing: {
    price: 85_000,
    icon: 'M12 3.5c3.2 4 5.5 7 5.5 10.2a5.5 5.5 0 0 1-11 0C6.5 10.5 8.8 7.5 12 3.5zM12 16.5a3 3 0 0 1-2.8-2.8',
  },
  electrical: { price: 95_000, icon: 'M13 3 5.5 13.5H11L10 21l8-11h-5.5z' },
  cleaning: {
    price: 70_000,
    icon: 'M11 4l1.7 5.3L18 11l-5.3 1.7L11 18l-1.7-5.3L4 11l5.3-1.7zM18.5 15l.8 2.2 2.2.8-2.2.8-.8 2.2-.8-2.2-2.2-.8 2.2-.8z',
  },
  painting: { price: 180_000, icon: 'M5 4h12v5H5zM17 6.5h3V12h-8v3M10.5 15h3v6h-3z' },
  gardening: {
    price: 65_000,
    icon: 'M12 21v-8M12 13c-4.5 0-7-2.5-7-7 4.5 0 7 2.5 7 7zM12 16c0-3.5 2-5.5 6.5-5.5 0 3.5-2 5.5-6.5 5.5z',
  },
  locks: { price: 90_000, icon: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3M12 14.5v2.5' },
}

const NAMES = [
  'Luz Marina Ortiz',
  'Camilo Restrepo',
  'Yesenia Mosquera',
  'Jhon Fredy Rojas',
  'Paola Guerrero',
  'Wilson Patiño',
  'Nelly Quintero',
  'Óscar Benavides',
  'Diana Carabalí',
]
const FACTORS = [1, 1.15, 0.9]
const BADGES = [['verified', 'top_rated'], ['verified', 'insured'], ['verified']]
const RATINGS = [4.9, 4.8, 4.6]
const JOBS = [312, 148, 57]
const AVAILABILITY = [0.92, 0.71, 0.84]

/** Three professionals of a service, always the same ones. */
export function professionals(service) {
  const first = Object.keys(SERVICES).indexOf(service) * 2
  return FACTORS.map((factor, index) => ({
    id: `pro_${service}_${index + 1}`,
    name: NAMES[(first + index) % NAMES.length],
    price: Math.round((SERVICES[service].price * factor) / 1000) * 1000,
    badges: BADGES[index],
    rating: RATINGS[index],
    jobs: JOBS[index],
    availability: AVAILABILITY[index],
  }))
}

const pesos = new Intl.NumberFormat('es-CO', { style: 'currency', currency: 'COP', maximumFractionDigits: 0 })

/** `$ 85.0` */
export function cop(amount) {
  return pesos.format(amount)
}
