// Made by `platform-events types` from a migrated database: not to be changed by hand.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  public: {
    Tables: {
      amara_conversations: {
        Row: {
          created_at: string
          id: string
          is_active: boolean
          last_message_at: string
          locale: string
          updated_at: string
          user_id: string
        }
        Insert: {
          created_at?: string
          id?: string
          is_active?: boolean
          last_message_at?: string
          locale?: string
          updated_at?: string
          user_id: string
        }
        Update: {
          created_at?: string
          id?: string
          is_active?: boolean
          last_message_at?: string
          locale?: string
          updated_at?: string
          user_id?: string
        }
        Relationships: []
      }
      amara_messages: {
        Row: {
          content: string
          conversation_id: string
          created_at: string
          id: string
          metadata: Json | null
          role: string
          tool_calls: Json | null
        }
        Insert: {
          content: string
          conversation_id: string
          created_at?: string
          id?: string
          metadata?: Json | null
          role: string
          tool_calls?: Json | null
        }
        Update: {
          content?: string
          conversation_id?: string
          created_at?: string
          id?: string
          metadata?: Json | null
          role?: string
          tool_calls?: Json | null
        }
        Relationships: [
          {
            foreignKeyName: 'amara_messages_conversation_id_fkey'
            columns: ['conversation_id']
            isOneToOne: false
            referencedRelation: 'amara_conversations'
            referencedColumns: ['id']
          },
        ]
      }
      booking_reviews: {
        Row: {
          body: string | null
          booking_id: string
          created_at: string
          customer_id: string | null
          id: string
          rating: number | null
        }
        Insert: {
          body?: string | null
          booking_id: string
          created_at?: string
          customer_id?: string | null
          id?: string
          rating?: number | null
        }
        Update: {
          body?: string | null
          booking_id?: string
          created_at?: string
          customer_id?: string | null
          id?: string
          rating?: number | null
        }
        Relationships: [
          {
            foreignKeyName: 'booking_reviews_booking_id_fkey'
            columns: ['booking_id']
            isOneToOne: false
            referencedRelation: 'bookings'
            referencedColumns: ['id']
          },
        ]
      }
      bookings: {
        Row: {
          cancel_reason: string | null
          cancelled_by: string | null
          city: string | null
          created_at: string
          customer_id: string | null
          deposit_captured: boolean
          deposit_type: string | null
          guest_session_id: string | null
          id: string
          notes: string | null
          professional_id: string | null
          refund_amount: number | null
          service: string | null
          status: string
          subtotal: number | null
          total: number | null
          updated_at: string
        }
        Insert: {
          cancel_reason?: string | null
          cancelled_by?: string | null
          city?: string | null
          created_at?: string
          customer_id?: string | null
          deposit_captured?: boolean
          deposit_type?: string | null
          guest_session_id?: string | null
          id?: string
          notes?: string | null
          professional_id?: string | null
          refund_amount?: number | null
          service?: string | null
          status?: string
          subtotal?: number | null
          total?: number | null
          updated_at?: string
        }
        Update: {
          cancel_reason?: string | null
          cancelled_by?: string | null
          city?: string | null
          created_at?: string
          customer_id?: string | null
          deposit_captured?: boolean
          deposit_type?: string | null
          guest_session_id?: string | null
          id?: string
          notes?: string | null
          professional_id?: string | null
          refund_amount?: number | null
          service?: string | null
          status?: string
          subtotal?: number | null
          total?: number | null
          updated_at?: string
        }
        Relationships: [
          {
            foreignKeyName: 'bookings_guest_session_id_fkey'
            columns: ['guest_session_id']
            isOneToOne: false
            referencedRelation: 'guest_sessions'
            referencedColumns: ['id']
          },
        ]
      }
      customers: {
        Row: {
          created_at: string
          full_name: string | null
          id: string
          phone: string | null
        }
        Insert: {
          created_at?: string
          full_name?: string | null
          id: string
          phone?: string | null
        }
        Update: {
          created_at?: string
          full_name?: string | null
          id?: string
          phone?: string | null
        }
        Relationships: []
      }
      guest_sessions: {
        Row: {
          created_at: string
          email: string
          expires_at: string
          full_name: string
          id: string
          metadata: Json | null
          phone: string | null
          session_token: string
        }
        Insert: {
          created_at?: string
          email: string
          expires_at?: string
          full_name: string
          id?: string
          metadata?: Json | null
          phone?: string | null
          session_token: string
        }
        Update: {
          created_at?: string
          email?: string
          expires_at?: string
          full_name?: string
          id?: string
          metadata?: Json | null
          phone?: string | null
          session_token?: string
        }
        Relationships: []
      }
      notifications: {
        Row: {
          body: string | null
          created_at: string
          id: string
          read_at: string | null
          title: string | null
          user_id: string
        }
        Insert: {
          body?: string | null
          created_at?: string
          id?: string
          read_at?: string | null
          title?: string | null
          user_id: string
        }
        Update: {
          body?: string | null
          created_at?: string
          id?: string
          read_at?: string | null
          title?: string | null
          user_id?: string
        }
        Relationships: []
      }
      payments: {
        Row: {
          amount: number | null
          booking_id: string
          created_at: string
          error_code: string | null
          id: string
          method: string | null
          success: boolean
        }
        Insert: {
          amount?: number | null
          booking_id: string
          created_at?: string
          error_code?: string | null
          id?: string
          method?: string | null
          success?: boolean
        }
        Update: {
          amount?: number | null
          booking_id?: string
          created_at?: string
          error_code?: string | null
          id?: string
          method?: string | null
          success?: boolean
        }
        Relationships: [
          {
            foreignKeyName: 'payments_booking_id_fkey'
            columns: ['booking_id']
            isOneToOne: false
            referencedRelation: 'bookings'
            referencedColumns: ['id']
          },
        ]
      }
      platform_events: {
        Row: {
          actor_key: number | null
          created_at: string
          event_type: string
          id: string
          properties: Json | null
          raw_created_at: string | null
          received_at: string
          seq: number | null
          session_id: string | null
          source_id: number
          stream: string | null
          user_id: string | null
        }
        Insert: {
          actor_key?: number | null
          created_at?: string
          event_type: string
          id?: string
          properties?: Json | null
          raw_created_at?: string | null
          received_at?: string
          seq?: number | null
          session_id?: string | null
          source_id?: number
          stream?: string | null
          user_id?: string | null
        }
        Update: {
          actor_key?: number | null
          created_at?: string
          event_type?: string
          id?: string
          properties?: Json | null
          raw_created_at?: string | null
          received_at?: string
          seq?: number | null
          session_id?: string | null
          source_id?: number
          stream?: string | null
          user_id?: string | null
        }
        Relationships: []
      }
      profiles: {
        Row: {
          id: string
          role: string
        }
        Insert: {
          id: string
          role?: string
        }
        Update: {
          id?: string
          role?: string
        }
        Relationships: []
      }
      referrals: {
        Row: {
          created_at: string
          id: string
          referred_id: string | null
          referrer_credit_amount: number
          referrer_id: string
          status: string
        }
        Insert: {
          created_at?: string
          id?: string
          referred_id?: string | null
          referrer_credit_amount?: number
          referrer_id: string
          status?: string
        }
        Update: {
          created_at?: string
          id?: string
          referred_id?: string | null
          referrer_credit_amount?: number
          referrer_id?: string
          status?: string
        }
        Relationships: []
      }
      searches: {
        Row: {
          city: string | null
          created_at: string
          device: string | null
          id: string
          lat: number | null
          lng: number | null
          service: string | null
          session_id: string | null
          user_id: string | null
        }
        Insert: {
          city?: string | null
          created_at?: string
          device?: string | null
          id?: string
          lat?: number | null
          lng?: number | null
          service?: string | null
          session_id?: string | null
          user_id?: string | null
        }
        Update: {
          city?: string | null
          created_at?: string
          device?: string | null
          id?: string
          lat?: number | null
          lng?: number | null
          service?: string | null
          session_id?: string | null
          user_id?: string | null
        }
        Relationships: []
      }
    }
    Views: {
      [_ in never]: never
    }
    Functions: {
      active_actors: {
        Args: {
          p_from?: string
          p_time_zone?: string
          p_to?: string
          p_types?: string[]
        }
        Returns: {
          daily: number
          day: string
          monthly: number
          stickiness: number
          weekly: number
        }[]
      }
      cleanup_expired_guest_sessions: {
        Args: Record<PropertyKey, never>
        Returns: undefined
      }
      cleanup_old_platform_events: {
        Args: Record<PropertyKey, never>
        Returns: undefined
      }
      conversion_funnel: {
        Args: {
          p_breakdown?: Json
          p_exclude?: Json
          p_from?: string
          p_mode?: string
          p_steps: Json
          p_to?: string
          p_unit?: Json
          p_window?: string
        }
        Returns: {
          actors: number
          breakdown: string
          dropped: number
          from_first: number
          from_first_high: number
          from_first_low: number
          from_previous: number
          from_previous_high: number
          from_previous_low: number
          name: string
          step: number
        }[]
      }
      convert_guest_to_user: {
        Args: {
          p_guest_session_id: string
          p_user_id: string
        }
        Returns: undefined
      }
      emit_event: {
        Args: {
          p_event_type: string
          p_once?: string
          p_properties?: Json
          p_session_id?: string
          p_user_id?: string
        }
        Returns: boolean
      }
      event_counts: {
        Args: {
          p_breakdown?: string
          p_bucket?: string
          p_filter?: Json
          p_from?: string
          p_time_zone?: string
          p_to?: string
          p_types?: string[]
          p_unique?: boolean
        }
        Returns: {
          actors: number
          breakdown: string
          bucket: string
          event_type: string
          events: number
        }[]
      }
      event_properties: {
        Args: {
          p_event_type?: string
          p_from?: string
          p_to?: string
        }
        Returns: {
          distinct_values: number
          event_type: string
          examples: string[]
          filled: number
          property: string
          types: string[]
        }[]
      }
      explain_actor: {
        Args: {
          p_actor: string
          p_funnel: Json
        }
        Returns: {
          chain_step: number
          created_at: string
          event_type: string
          id: string
          matches: number[]
          note: string
          session_id: string
        }[]
      }
      forget_actor: {
        Args: {
          p_actor: string
        }
        Returns: {
          action: string
          n: number
          place: string
        }[]
      }
      funnel_actors: {
        Args: {
          p_after?: string
          p_funnel: Json
          p_limit?: number
          p_outcome: string
          p_step: number
        }
        Returns: {
          actor: string
          entered_at: string
          last_step_at: string
          level: number
          session_id: string
          user_id: string
        }[]
      }
      funnel_lift: {
        Args: {
          p_funnel: Json
          p_property: string
          p_step: number
        }
        Returns: {
          drop_rate: number
          dropped: number
          high: number
          lift: number
          low: number
          reached: number
          value: string
        }[]
      }
      funnel_times: {
        Args: {
          p_funnel: Json
        }
        Returns: {
          actors: number
          histogram: Json
          name: string
          p50_from_first: string
          p50_from_previous: string
          p75_from_first: string
          p75_from_previous: string
          p90_from_first: string
          p90_from_previous: string
          step: number
        }[]
      }
      funnel_trend: {
        Args: {
          p_bucket?: string
          p_funnel: Json
          p_time_zone?: string
        }
        Returns: {
          actors: number
          bucket: string
          from_first: number
          name: string
          open: boolean
          step: number
        }[]
      }
      get_conversion_funnel: {
        Args: {
          p_end_date?: string
          p_start_date?: string
        }
        Returns: {
          conversion_rate: number
          stage: string
          unique_users: number
        }[]
      }
      get_event_counts_by_type: {
        Args: {
          p_end_date?: string
          p_start_date?: string
        }
        Returns: {
          event_count: number
          event_type: string
        }[]
      }
      get_guest_session: {
        Args: {
          p_session_token: string
        }
        Returns: {
          created_at: string
          email: string
          expires_at: string
          full_name: string
          id: string
          phone: string
        }[]
      }
      get_marketplace_monitoring: {
        Args: Record<PropertyKey, never>
        Returns: Json
      }
      get_user_referral_credits: {
        Args: {
          p_user_id: string
        }
        Returns: number
      }
      paths: {
        Args: {
          p_depth?: number
          p_end?: string
          p_from?: string
          p_limit?: number
          p_start?: string
          p_to?: string
          p_types?: string[]
          p_window?: string
        }
        Returns: {
          actors: number
          occurrences: number
          path: string[]
        }[]
      }
      rebuild_rollups: {
        Args: {
          p_from: string
          p_to: string
        }
        Returns: number
      }
      retention: {
        Args: {
          p_first?: string
          p_from?: string
          p_periods?: number
          p_returning?: string
          p_time_zone?: string
          p_to?: string
          p_unit?: string
        }
        Returns: {
          actors: number
          cohort: string
          open: boolean
          period: number
          rate: number
          size: number
        }[]
      }
      time_between: {
        Args: {
          p_first: Json
          p_from?: string
          p_second: Json
          p_to?: string
          p_window?: string
        }
        Returns: {
          actors: number
          histogram: Json
          mean: string
          p50: string
          p75: string
          p90: string
        }[]
      }
      top_values: {
        Args: {
          p_event_type: string
          p_from?: string
          p_limit?: number
          p_property: string
          p_to?: string
        }
        Returns: {
          actors: number
          events: number
          share: number
          value: string
        }[]
      }
      verify_rollups: {
        Args: {
          p_from: string
          p_to: string
        }
        Returns: {
          counted: number
          event_type: string
          hour: string
          raw: number
        }[]
      }
    }
    Enums: {
      [_ in never]: never
    }
    CompositeTypes: {
      [_ in never]: never
    }
  }
}

type Field<Of, Name extends string> = Of extends { [Key in Name]: infer Value } ? Value : never
type TablesOf<Schema extends keyof Database> = Database[Schema]['Tables']
type RowsOf<Schema extends keyof Database> = Database[Schema]['Tables'] & Database[Schema]['Views']
type EnumsOf<Schema extends keyof Database> = Database[Schema]['Enums']
type CompositesOf<Schema extends keyof Database> = Database[Schema]['CompositeTypes']

export type Tables<
  Name extends keyof RowsOf<'public'> | { schema: keyof Database },
  InSchema extends Name extends { schema: keyof Database } ? keyof RowsOf<Name['schema']> : never = never,
> = Name extends { schema: keyof Database }
  ? Field<RowsOf<Name['schema']>[InSchema], 'Row'>
  : Name extends keyof RowsOf<'public'>
    ? Field<RowsOf<'public'>[Name], 'Row'>
    : never

export type TablesInsert<
  Name extends keyof TablesOf<'public'> | { schema: keyof Database },
  InSchema extends Name extends { schema: keyof Database } ? keyof TablesOf<Name['schema']> : never = never,
> = Name extends { schema: keyof Database }
  ? Field<TablesOf<Name['schema']>[InSchema], 'Insert'>
  : Name extends keyof TablesOf<'public'>
    ? Field<TablesOf<'public'>[Name], 'Insert'>
    : never

export type TablesUpdate<
  Name extends keyof TablesOf<'public'> | { schema: keyof Database },
  InSchema extends Name extends { schema: keyof Database } ? keyof TablesOf<Name['schema']> : never = never,
> = Name extends { schema: keyof Database }
  ? Field<TablesOf<Name['schema']>[InSchema], 'Update'>
  : Name extends keyof TablesOf<'public'>
    ? Field<TablesOf<'public'>[Name], 'Update'>
    : never

export type Enums<
  Name extends keyof EnumsOf<'public'> | { schema: keyof Database },
  InSchema extends Name extends { schema: keyof Database } ? keyof EnumsOf<Name['schema']> : never = never,
> = Name extends { schema: keyof Database }
  ? EnumsOf<Name['schema']>[InSchema]
  : Name extends keyof EnumsOf<'public'>
    ? EnumsOf<'public'>[Name]
    : never

export type CompositeTypes<
  Name extends keyof CompositesOf<'public'> | { schema: keyof Database },
  InSchema extends Name extends { schema: keyof Database } ? keyof CompositesOf<Name['schema']> : never = never,
> = Name extends { schema: keyof Database }
  ? CompositesOf<Name['schema']>[InSchema]
  : Name extends keyof CompositesOf<'public'>
    ? CompositesOf<'public'>[Name]
    : never

export const Constants = {
  public: {
    Enums: {},
  },
} as const
